// Package db is Convene's SQL: one file a table with its struct beside its
// statements, transactions, migrations, and the queue. Every statement is
// written once for SQLite and PostgreSQL; dialect.go holds what differs.
//
// It never parses a body: bodies are bytes, and what is indexed is given to it.
// Times are microseconds since 1970 UTC in the columns, time.Time in the
// structs where people read them.
package db
