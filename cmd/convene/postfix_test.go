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
	"time"
)

// needs skips a test for want of a program; in continuous integration it fails
// instead, so that nothing is skipped there without anybody knowing.
func needs(t *testing.T, ok bool, format string, args ...any) {
	t.Helper()
	if ok {
		return
	}
	text := fmt.Sprintf(format, args...) + " (deploy/test/install)"
	if os.Getenv("CI") != "" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// postfix is a real Postfix on loopback with a configuration and a queue of its
// own, unpacked beside whatever mail server the machine has.
type postfix struct {
	dir  string
	smtp string // address of its port 25
}

// startPostfix runs the mail server of example.org: recipe is main.cf's part
// from deploy/postfix with the files that it names, master more of master.cf.
// What it names by its address in the recipe is replaced as with says.
func startPostfix(t *testing.T, recipe, master string, mailboxes []string, outside string, with ...string) *postfix {
	t.Helper()
	root := os.Getenv("CONVENE_TEST_ROOT")
	if root == "" {
		root = "/var/cache/convene-test"
	}
	root += "/postfix"
	_, err := os.Stat(root + "/usr/sbin/postfix")
	needs(t, err == nil, "no Postfix in %s", root)
	needs(t, os.Getuid() == 0, "Postfix starts as root only")
	account, err := user.Lookup("postfix")
	needs(t, err == nil, "no account postfix")
	drop, err := user.LookupGroup("postdrop")
	needs(t, err == nil, "no group postdrop")
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(drop.Gid)

	p := &postfix{smtp: freeAddr(t)}
	if p.dir, err = os.MkdirTemp("", "convene-postfix-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(p.dir) })
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.Chmod(p.dir, 0o755))
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
	replace := strings.NewReplacer(append(with, "/etc/postfix/", p.dir+"/conf/")...)
	file := func(name, text string) {
		check(os.WriteFile(filepath.Join(p.dir, "conf", name), []byte(text), 0o644))
	}
	from := func(name string) string {
		data, err := os.ReadFile("../../deploy/postfix/" + name)
		check(err)
		return replace.Replace(string(data))
	}
	for _, name := range []string{"convene-copies", "convene-generic", "convene-transport", "convene-recipients"} {
		file(name, from(name))
	}
	boxes := ""
	for _, m := range mailboxes {
		boxes += m + " box\n"
	}
	file("mailboxes", boxes)
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
queue_run_delay = 2s
smtpd_peername_lookup = no
smtp_host_lookup = native
# The organisation before Convene came: its domain, and its mailbox server.
virtual_mailbox_domains = example.org
virtual_transport = lmtp:inet:$mailbox_server
# The world outside.
default_transport = smtp:[%[4]s]:%[5]s
`, p.dir, root, lib, host, port)
	file("main.cf", replace.Replace(main)+from(recipe))
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
postlog unix-dgram n - n - 1 postlogd
`
	if master != "" {
		services += from(master)
	}
	file("master.cf", services)

	cmd := exec.Command(lib+"/sbin/master", "-d", "-c", p.dir+"/conf")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+lib)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it signals its whole group when it stops
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	check(cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(p.dir + "/log")
			t.Logf("Postfix:\n%s%s", out.String(), log)
		}
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", p.smtp, time.Second)
		if err == nil {
			conn.Close()
			return p
		}
		if time.Now().After(end) {
			t.Fatalf("Postfix does not answer: %v\n%s", err, out.String())
		}
	}
}
