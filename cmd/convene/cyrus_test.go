package main

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// startCyrus runs the mailbox server of example.org by deploy/cyrus.
func startCyrus(t *testing.T, people ...string) mailboxes {
	t.Helper()
	root := unpacked(t, "cyrus", "usr/lib/cyrus/bin/master")
	account, err := user.Lookup("cyrus")
	needs(t, err == nil, "no account cyrus")
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	m := newMTA(t, "cyrus")
	for _, d := range []string{"lib", "spool", "run", "sieve"} {
		m.check(os.Mkdir(filepath.Join(m.dir, d), 0o755))
		m.check(os.Chown(filepath.Join(m.dir, d), uid, gid))
	}
	var names []string
	for _, p := range people {
		name, _, _ := strings.Cut(p, "@")
		names = append(names, name)
	}
	m.recipe("dovecot/convene.sieve", "convene.sieve") // the same script
	m.recipe("cyrus/convene.imapd", "convene.imapd", "/etc/", m.dir+"/")
	m.recipe("cyrus/convene.services", "convene.services", "lmtpd -a", root+"/usr/lib/cyrus/bin/lmtpd -C "+m.dir+"/imapd.conf -a", "127.0.0.1:24", m.smtp)
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(m.dir, name))
		m.check(err)
		return string(data)
	}
	m.file("imapd.conf", strings.ReplaceAll(`configdirectory: DIR/lib
proc_path: DIR/run/proc
mboxname_lockpath: DIR/run/lock
lmtpsocket: DIR/run/lmtp
notifysocket: DIR/run/notify
idlesocket: DIR/run/idle
defaultpartition: default
partition-default: DIR/spool
sievedir: DIR/sieve
altnamespace: yes
unixhierarchysep: yes
virtdomains: userid
defaultdomain: example.org
admins: cyrus
# Who has a mailbox.
autocreate_post: yes
autocreate_quota: 0
autocreate_users: `, "DIR", m.dir)+strings.Join(names, " ")+"\n"+read("convene.imapd"), 0o644)
	m.file("cyrus.conf", strings.NewReplacer("ROOT", root, "DIR", m.dir).Replace(`START {
  recover cmd="ROOT/usr/lib/cyrus/bin/ctl_cyrusdb -C DIR/imapd.conf -r"
}
SERVICES {
`)+read("convene.services")+"}\nEVENTS {\n}\n", 0o644)

	bin := filepath.Join(root, "usr/lib/cyrus/bin")
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), append([]string{"-C", m.dir + "/imapd.conf"}, args...)...)
		cmd.Env = append(os.Environ(), "CYRUS_VERBOSE=1", "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib/x86_64-linux-gnu"))
		return cmd
	}
	m.run(command("master", "-M", m.dir+"/cyrus.conf", "-p", m.dir+"/pid", "-L", m.dir+"/log"), m.dir+"/log")
	return mailboxes{lmtp: m.smtp, files: func(owner, folder string) []string {
		name, _, _ := strings.Cut(owner, "@")
		out, err := command("mbpath", filepath.Join("user", name, folder)).Output()
		if err != nil {
			return nil
		}
		files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "[0-9]*."))
		return files
	}}
}
