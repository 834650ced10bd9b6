// Package dbtest gives every database test a fresh store on SQLite and on
// PostgreSQL.
package dbtest
