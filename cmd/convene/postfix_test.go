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

// startPostfix runs the mail server of example.org: recipe is main.cf's part
// from deploy/postfix with the files that it names, master more of master.cf.
// What it names by its address in the recipe is replaced as with says.
func startPostfix(t *testing.T, recipe, master string, mailboxes []string, outside string, with ...string) *mta {
	t.Helper()
	root := unpacked(t, "postfix", "usr/sbin/postfix")
	account, err := user.Lookup("postfix")
	needs(t, err == nil, "no account postfix")
	drop, err := user.LookupGroup("postdrop")
	needs(t, err == nil, "no group postdrop")
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(drop.Gid)

	p := newMTA(t, "postfix")
	check := p.check
	for _, d := range []struct {
		name string
		mode os.FileMode
		uid  int
		gid  int
	}{
		{"conf", 0o755, 0, 0}, {"data", 0o700, uid, -1}, {"spool", 0o755, 0, 0}, {"spool/pid", 0o755, 0, 0},
		{"spool/active", 0o700, uid, -1}, {"spool/bounce", 0o700, uid, -1}, {"spool/corrupt", 0o700, uid, -1}, {"spool/defer", 0o700, uid, -1},
		{"spool/deferred", 0o700, uid, -1}, {"spool/flush", 0o700, uid, -1}, {"spool/hold", 0o700, uid, -1}, {"spool/incoming", 0o700, uid, -1},
		{"spool/private", 0o700, uid, -1}, {"spool/saved", 0o700, uid, -1}, {"spool/trace", 0o700, uid, -1},
		{"spool/maildrop", 0o730, uid, gid}, {"spool/public", 0o710, uid, gid},
	} {
		check(os.Mkdir(filepath.Join(p.dir, d.name), 0o755))
		check(os.Chown(filepath.Join(p.dir, d.name), d.uid, d.gid))
		check(os.Chmod(filepath.Join(p.dir, d.name), d.mode))
	}
	with = append(with, "/etc/postfix/", p.dir+"/conf/", "$log_in", "private/auth")
	certificate, key := certificate(t, "mx.example.org")
	p.certificate = certificate
	p.file("conf/certificate", string(p.certificate), 0o644)
	p.file("conf/key", string(key), 0o600)
	p.file("conf/logins", "/^(.*)$/ $1\n", 0o644)
	replace := strings.NewReplacer(with...)
	from := func(name string) string {
		data, err := os.ReadFile("../../deploy/postfix/" + name)
		check(err)
		return replace.Replace(string(data))
	}
	for _, name := range []string{"convene-copies", "convene-generic", "convene-transport", "convene-recipients"} {
		p.recipe("postfix/"+name, "conf/"+name, with...)
	}
	boxes := ""
	for _, m := range mailboxes {
		boxes += m + " box\n"
	}
	p.file("conf/mailboxes", boxes, 0o644)
	lib := root + "/usr/lib/postfix"
	host, port, _ := net.SplitHostPort(outside)
	main := fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/spool
data_directory = %[1]s/data
command_directory = %[2]s/usr/sbin
daemon_directory = %[3]s/sbin
shlib_directory = %[3]s
meta_directory = %[2]s/etc/postfix
import_environment = MAIL_CONFIG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME LD_LIBRARY_PATH
mail_owner = postfix
setgid_group = postdrop
maillog_file = %[1]s/log
maillog_file_prefixes = /
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.org
mydestination =
alias_maps =
mynetworks = 127.0.0.0/8
minimal_backoff_time = 2s
maximal_backoff_time = 4s
transport_retry_time = 2s
queue_run_delay = 2s
smtpd_peername_lookup = no
message_size_limit = 0
smtp_host_lookup = native
# The organisation before Convene came: its domain, and its mailbox server.
virtual_mailbox_domains = example.org
virtual_transport = lmtp:inet:$mailbox_server
# The world outside.
default_transport = smtp:[%[4]s]:%[5]s
virtual_mailbox_maps = texthash:%[1]s/conf/mailboxes
# How its people log in, where a service asks for that.
smtpd_tls_cert_file = %[1]s/conf/certificate
smtpd_tls_key_file = %[1]s/conf/key
smtpd_sasl_type = dovecot
smtpd_sasl_path = $log_in
smtpd_sender_login_maps = regexp:%[1]s/conf/logins
`, p.dir, root, lib, host, port)
	main = replace.Replace(main)
	p.file("conf/main.cf", main+from(recipe), 0o644)
	services := p.smtp + ` inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
`
	more := ""
	if master != "" {
		more = from(master)
	}
	p.file("conf/master.cf", services+more, 0o644)

	cmd := exec.Command(lib+"/sbin/master", "-d", "-c", p.dir+"/conf")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+lib)
	p.run(cmd, p.dir+"/log")
	p.uninstall = func() {
		p.file("conf/main.cf", main, 0o644)
		p.file("conf/master.cf", services, 0o644)
		check(cmd.Process.Signal(syscall.SIGHUP))
	}
	return p
}
