package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// startExim runs the mail server of example.org: mode is in-line or copy, and
// names a file of deploy/exim as observed does where it is not empty. Addresses
// in the recipe are replaced as with says.
func startExim(t *testing.T, mode string, mailboxes []string, boxes, outside, observed string, with ...string) *mta {
	t.Helper()
	root := unpacked(t, "exim", "usr/sbin/exim4")
	account, err := user.Lookup("Debian-exim")
	needs(t, err == nil, "no account Debian-exim")
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	m := newMTA(t, "exim")
	for _, d := range []string{"spool", "log"} {
		m.check(os.Mkdir(filepath.Join(m.dir, d), 0o750))
		m.check(os.Chown(filepath.Join(m.dir, d), uid, gid))
	}
	recipe := []string{"convene.main", mode + ".routers", "convene.transports"}
	if observed != "" {
		recipe = append(recipe, observed+".routers")
	}
	for _, name := range recipe {
		m.recipe("exim/"+name, name, with...)
	}
	var local []string
	for _, box := range mailboxes {
		name, _, _ := strings.Cut(box, "@")
		local = append(local, name)
	}
	boxHost, boxPort, _ := net.SplitHostPort(boxes)
	outHost, outPort, _ := net.SplitHostPort(outside)
	_, port, _ := net.SplitHostPort(m.smtp)
	m.file("exim.conf", fmt.Sprintf(`.include_if_exists %[1]s/convene.main
exim_path = %[2]s/usr/sbin/exim4
spool_directory = %[1]s/spool
log_file_path = %[1]s/log/%%s
pid_file_path = %[1]s/spool/pid
daemon_smtp_ports = %[3]s
local_interfaces = 127.0.0.1
primary_hostname = mx.example.org
qualify_domain = example.org
acl_smtp_rcpt = recipients
host_lookup =
tls_advertise_hosts =
auth_advertise_hosts = *
keep_environment =
deliver_drop_privilege

begin acl
recipients:
  accept authenticated = *
  require verify = recipient
  accept domains = example.org
  accept hosts = 127.0.0.1
  deny

begin routers
.include_if_exists %[1]s/convene-observe.routers
.include_if_exists %[1]s/%[4]s.routers
# The organisation before Convene came: its domain, and its mailbox server.
mailboxes:
  driver = accept
  domains = example.org
  local_parts = %[5]s
  transport = mailbox_server
outside:
  driver = accept
  domains = ! example.org
  transport = outside

begin transports
.include_if_exists %[1]s/convene.transports
mailbox_server:
  driver = smtp
  protocol = lmtp
  hosts = %[6]s
  port = %[7]s
  allow_localhost
outside:
  driver = smtp
  hosts = %[8]s
  port = %[9]s
  allow_localhost

begin retry
* * F,1h,2s

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if eq{$auth3}{secret}}
  server_set_id = $auth2
`, m.dir, root, port, mode, strings.Join(local, " : "), boxHost, boxPort, outHost, outPort), 0o644)

	cmd := exec.Command(root+"/usr/sbin/exim4", "-C", m.dir+"/exim.conf", "-bdf", "-q2s")
	m.run(cmd, m.dir+"/log/main", m.dir+"/log/panic")
	m.uninstall = func() {
		for _, name := range recipe {
			m.check(os.Remove(filepath.Join(m.dir, name)))
		}
		m.check(cmd.Process.Signal(syscall.SIGHUP))
	}
	return m
}
