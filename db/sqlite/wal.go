package sqlite

import (
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A commit appends a dozen frames to the write-ahead log, and SQLite writes
// each in two pieces: thirty calls of the system, which take longer than
// waiting for the disk does. The file system here is SQLite's own for unix but
// for the log, whose pieces are gathered and written at once when SQLite asks
// for them to be durable. Nobody looks for them before: SQLite makes frames
// known, in the shared index, only after that. Whatever else is done with the
// log writes first what was gathered.

// gathered is how much is kept at most; more is written in several pieces.
// SQLite takes the length of one modulo 128 KB.
const gathered = 96 << 10

// gatheringVFS is the name of that file system, or of SQLite's own where it
// cannot be had.
var gatheringVFS = sync.OnceValue(func() string {
	const name = "convene"
	tls := libc.NewTLS()
	defer tls.Close()
	base := sqlite3.Xsqlite3_vfs_find(tls, 0) // initialises the library
	own := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	zName, err := libc.CString(name)
	if base == 0 || own == 0 || err != nil {
		return "unix"
	}
	v := at[sqlite3.Tsqlite3_vfs](own)
	*v = *at[sqlite3.Tsqlite3_vfs](base)
	unixOpen = as[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](v.FxOpen)
	logPlace = (uintptr(v.FszOsFile) + 7) &^ 7
	v.FszOsFile = int32(logPlace + unsafe.Sizeof(logFile{}))
	v.FpNext, v.FzName, v.FxOpen = 0, zName, pointerTo(openFile)
	if sqlite3.Xsqlite3_vfs_register(tls, own, 0) != sqlite3.SQLITE_OK {
		return "unix"
	}
	return name
})

// logFile stands behind SQLite's own part of an open file.
type logFile struct {
	buf uintptr // of gathered octets, once something was written
	n   int64   // gathered so far
	off int64   // and where in the file they belong
}

var (
	unixOpen func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32
	logPlace uintptr // of logFile in the memory of an open file

	logMethodsOnce sync.Once
	logMethods     uintptr                     // *sqlite3_io_methods
	unixMethods    sqlite3.Tsqlite3_io_methods // those of a log before it got ours
)

func openFile(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	rc := unixOpen(tls, vfs, name, file, flags, out)
	if rc != sqlite3.SQLITE_OK || flags&sqlite3.SQLITE_OPEN_WAL == 0 {
		return rc
	}
	f := at[sqlite3.Tsqlite3_file](file)
	logMethodsOnce.Do(func() {
		p := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(unixMethods)))
		if p == 0 {
			return
		}
		unixMethods = *at[sqlite3.Tsqlite3_io_methods](f.FpMethods)
		m := at[sqlite3.Tsqlite3_io_methods](p)
		*m = unixMethods
		m.FxClose, m.FxRead, m.FxWrite = pointerTo(closeLog), pointerTo(readLog), pointerTo(writeLog)
		m.FxTruncate, m.FxSync, m.FxFileSize = pointerTo(truncateLog), pointerTo(syncLog), pointerTo(sizeOfLog)
		logMethods = p
	})
	if logMethods != 0 && *at[sqlite3.Tsqlite3_io_methods](f.FpMethods) == unixMethods {
		*at[logFile](file + logPlace) = logFile{}
		f.FpMethods = logMethods
	}
	return rc
}

func writeLog(tls *libc.TLS, file, data uintptr, n int32, off int64) int32 {
	l := at[logFile](file + logPlace)
	if l.n > 0 && (off != l.off+l.n || l.n+int64(n) > gathered) {
		if rc := flush(tls, file); rc != sqlite3.SQLITE_OK {
			return rc
		}
	}
	if l.buf == 0 && n <= gathered {
		l.buf = libc.Xmalloc(tls, gathered)
	}
	if l.buf == 0 || n > gathered {
		return as[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](unixMethods.FxWrite)(tls, file, data, n, off)
	}
	if l.n == 0 {
		l.off = off
	}
	copy(memory(l.buf+uintptr(l.n), int(n)), memory(data, int(n)))
	l.n += int64(n)
	return sqlite3.SQLITE_OK
}

// flush writes what was gathered. After an error it is gone, as SQLite gives
// up the transaction then.
func flush(tls *libc.TLS, file uintptr) int32 {
	l := at[logFile](file + logPlace)
	if l.n == 0 {
		return sqlite3.SQLITE_OK
	}
	n := l.n
	l.n = 0
	return as[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](unixMethods.FxWrite)(tls, file, l.buf, int32(n), l.off)
}

func syncLog(tls *libc.TLS, file uintptr, flags int32) int32 {
	if rc := flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	if rc, done := syncData(file); done {
		return rc
	}
	return as[func(*libc.TLS, uintptr, int32) int32](unixMethods.FxSync)(tls, file, flags)
}

func readLog(tls *libc.TLS, file, data uintptr, n int32, off int64) int32 {
	if rc := flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return as[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](unixMethods.FxRead)(tls, file, data, n, off)
}

func truncateLog(tls *libc.TLS, file uintptr, size int64) int32 {
	if rc := flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return as[func(*libc.TLS, uintptr, int64) int32](unixMethods.FxTruncate)(tls, file, size)
}

func sizeOfLog(tls *libc.TLS, file, out uintptr) int32 {
	if rc := flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return as[func(*libc.TLS, uintptr, uintptr) int32](unixMethods.FxFileSize)(tls, file, out)
}

func closeLog(tls *libc.TLS, file uintptr) int32 {
	rc := flush(tls, file)
	l := at[logFile](file + logPlace)
	libc.Xfree(tls, l.buf)
	*l = logFile{}
	if closed := as[func(*libc.TLS, uintptr) int32](unixMethods.FxClose)(tls, file); closed != sqlite3.SQLITE_OK {
		return closed
	}
	return rc
}

// at is what the library holds at p.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// as makes a function of a pointer to one of the library's.
func as[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&struct{ p uintptr }{p})) }

// pointerTo is the reverse for a function of this package.
func pointerTo[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) }
