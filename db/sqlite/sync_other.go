//go:build !linux

package sqlite

// syncData leaves it to SQLite.
func syncData(uintptr) (rc int32, done bool) { return 0, false }
