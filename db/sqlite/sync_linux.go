package sqlite

import (
	"syscall"

	sqlite3 "modernc.org/sqlite/lib"
)

// syncData waits until the disk has what was written to a file, and as much
// about the file as is needed to read that again (fdatasync(2)): SQLite does
// the same where it is compiled for it. When the file was changed, which fsync
// waits for too, takes the file system a commit of its own every few
// milliseconds. false: the file is new, and SQLite's own way also waits for its
// name.
func syncData(file uintptr) (rc int32, done bool) {
	f := at[sqlite3.TunixFile](file)
	if f.FctrlFlags&sqlite3.UNIXFILE_DIRSYNC != 0 {
		return 0, false
	}
	for {
		switch err := syscall.Fdatasync(int(f.Fh)); err {
		case nil:
			return sqlite3.SQLITE_OK, true
		case syscall.EINTR:
		default:
			return sqlite3.SQLITE_IOERR_FSYNC, true
		}
	}
}
