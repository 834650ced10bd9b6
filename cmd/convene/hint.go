package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/convene-server/convene/db"
)

// atStore says of an error that comes from opening the database what to do
// next, where that can be found out.
func atStore(dsn string, err error) error {
	if err == nil {
		return nil
	}
	next := ""
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		path, _, _ = strings.Cut(path, "?")
		next = atFile(path)
		if next == "" && strings.Contains(err.Error(), "not a database") {
			next = path + " is something else: name another file"
		}
	} else if errors.Is(err, db.ErrAway) {
		next = "see that PostgreSQL runs there and takes this connection: psql with the same address tells"
	}
	if next == "" {
		return fmt.Errorf("[store] dsn: %w", err)
	}
	return fmt.Errorf("[store] dsn: %w; %s", err, next)
}

// atFile says why a file cannot be SQLite's database, "" where nothing speaks
// against it.
func atFile(path string) string {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("make the folder %s and give it to the user that runs Convene", folder)
	}
	const readAndWrite = 6
	err := syscall.Access(path, readAndWrite)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("see that this user may write into the folder %s", folder)
	case errors.Is(err, fs.ErrPermission):
		if owner := ownerOf(path); owner != "" {
			return fmt.Sprintf("%s belongs to %s: run this as that user (runuser -u %s -- convene ...), or give the file to this one", path, owner, owner)
		}
		return fmt.Sprintf("this user may not write %s", path)
	}
	return ""
}

// ownerOf returns the name of the user whom a file belongs to.
func ownerOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	id := strconv.FormatUint(uint64(stat.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return ""
}

// atListener says the same of an address that cannot be listened on.
func atListener(key, addr string, err error) error {
	next := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		next = "another program has it, perhaps a Convene that runs already (ss -ltnp shows which)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		next = "this machine does not have that address"
	case errors.Is(err, fs.ErrPermission):
		if _, port, _ := net.SplitHostPort(addr); port != "" {
			next = "ports below 1024 are root's: take a higher one, and a proxy in front of it"
		}
	}
	if next == "" {
		return fmt.Errorf("%s: %w", key, err)
	}
	return fmt.Errorf("%s: %w; %s", key, err, next)
}
