package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startDovecot runs the mailbox server of example.org by deploy/dovecot, in a
// root of its own.
func startDovecot(t *testing.T, people ...string) mailboxes {
	t.Helper()
	root := unpacked(t, "dovecot", "usr/sbin/dovecot")
	m := &mta{t: t, smtp: freeAddr(t)}
	var err error
	m.dir, err = os.MkdirTemp(filepath.Join(root, "tmp"), "convene-")
	m.check(err)
	t.Cleanup(func() { os.RemoveAll(m.dir) })
	m.check(os.Chmod(m.dir, 0o755))
	const vmail = 65533 // in its root
	maildirs := filepath.Join(m.dir, "mail")
	m.check(os.Mkdir(maildirs, 0o755))
	m.check(os.Chown(maildirs, vmail, vmail))
	inside := strings.TrimPrefix(m.dir, root)
	users := ""
	for _, box := range people {
		users += box + ":{PLAIN}secret:65533:65533::" + inside + "/mail::\n"
	}
	m.file("users", users, 0o644)
	m.file("dovecot.conf", strings.ReplaceAll(`base_dir = DIR/run
state_dir = DIR/state
log_path = DIR/log
listen = 127.0.0.1
ssl = no
protocols =
default_internal_user = vmail
default_internal_group = vmail
default_login_user = vmail
first_valid_uid = 1
mail_location = maildir:DIR/mail/%u
passdb {
  driver = passwd-file
  args = DIR/users
}
userdb {
  driver = passwd-file
  args = DIR/users
}
service auth {
  unix_listener DIR/auth {
    mode = 0666
  }
}
!include DIR/90-convene.conf
`, "DIR", inside), 0o644)
	m.recipe("dovecot/convene.sieve", "convene.sieve")
	m.recipe("dovecot/90-convene.conf", "90-convene.conf", "/etc/dovecot/", inside+"/", "port = 24", "port = "+port(m.smtp))
	if out, err := exec.Command("chroot", root, "/usr/bin/sievec", "-c", inside+"/dovecot.conf", inside+"/convene.sieve").CombinedOutput(); err != nil {
		t.Fatalf("sievec: %v\n%s", err, out)
	}
	m.run(exec.Command("chroot", root, "/usr/sbin/dovecot", "-F", "-c", inside+"/dovecot.conf"), m.dir+"/log")
	return mailboxes{lmtp: m.smtp, auth: m.dir + "/auth", files: func(owner, folder string) []string {
		if folder != "" {
			folder = "." + folder
		}
		files, _ := filepath.Glob(filepath.Join(maildirs, owner, folder, "new", "*"))
		return files
	}}
}
