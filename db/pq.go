package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strconv"
	"time"
)

// pqSession is a connection of lib/pq without database/sql between: this
// package has pools, prepared statements and retries of its own, and what
// database/sql does for each statement takes as long as lib/pq itself.
type pqSession struct{ c pqConn }

type pqConn interface {
	driver.ConnPrepareContext
	driver.ExecerContext
	Close() error
}

// boundedDialer makes connections on which nothing is waited for longer than
// limit: PostgreSQL ends a statement that takes too long by itself, and a
// machine that has gone without a word ends nothing.
type boundedDialer struct {
	net.Dialer
	limit time.Duration
}

func (d *boundedDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &boundedConn{Conn: c, limit: d.limit}, nil
}

// DialTimeout is asked by nobody who knows DialContext.
func (d *boundedDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

type boundedConn struct {
	net.Conn
	limit time.Duration
	fixed bool // lib/pq has a deadline of its own, while it connects
}

func (c *boundedConn) SetDeadline(t time.Time) error {
	c.fixed = !t.IsZero()
	return c.Conn.SetDeadline(t)
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if !c.fixed {
		c.Conn.SetReadDeadline(time.Now().Add(c.limit))
	}
	return c.Conn.Read(p)
}

func (c *boundedConn) Write(p []byte) (int, error) {
	if !c.fixed {
		c.Conn.SetWriteDeadline(time.Now().Add(c.limit))
	}
	return c.Conn.Write(p)
}

func openPQ(ctx context.Context, by driver.Connector) (pqSession, error) {
	c, err := by.Connect(ctx)
	if err != nil {
		return pqSession{}, err
	}
	s, ok := c.(pqConn)
	if !ok {
		c.Close()
		return pqSession{}, fmt.Errorf("db: a connection of type %T", c)
	}
	return pqSession{s}, nil
}

func (s pqSession) prepare(ctx context.Context, text string) (statement, error) {
	st, err := s.c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	p, ok := st.(interface {
		driver.StmtQueryContext
		driver.StmtExecContext
	})
	if !ok {
		return nil, fmt.Errorf("db: a statement of type %T", st)
	}
	return &pqStatement{query_: p, exec_: p}, nil
}

func (s pqSession) command(_ context.Context, text string) error {
	_, err := s.c.ExecContext(unwatched, text, nil)
	return err
}

func (s pqSession) close() { s.c.Close() }

// pqStatement ends with its connection.
type pqStatement struct {
	query_ driver.StmtQueryContext
	exec_  driver.StmtExecContext
	args   []driver.NamedValue // of the last run, as memory for the next
	row    []driver.Value
}

func (s *pqStatement) close() {}

// bind makes the driver's values of arguments.
func (s *pqStatement) bind(args []any) ([]driver.NamedValue, error) {
	s.args = s.args[:0]
	for i, v := range args {
		switch x := v.(type) {
		case int64, string, []byte, nil:
		case int:
			v = int64(x)
		default:
			var err error
			if v, err = driver.DefaultParameterConverter.ConvertValue(v); err != nil {
				return nil, fmt.Errorf("db: argument %d: %w", i+1, err)
			}
		}
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s.args, nil
}

// forget lets go of what the arguments refer to.
func (s *pqStatement) forget() { clear(s.args) }

func (s *pqStatement) exec(ctx context.Context, args []any) (int64, error) {
	values, err := s.bind(args)
	if err != nil {
		return 0, err
	}
	defer s.forget()
	res, err := s.exec_.ExecContext(ctx, values)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (s *pqStatement) query(ctx context.Context, args []any, each func(scan func(...any) error) error) (err error) {
	values, err := s.bind(args)
	if err != nil {
		return err
	}
	defer s.forget()
	rows, err := s.query_.QueryContext(ctx, values)
	if err != nil {
		return err
	}
	defer func() { // also when each panics; reads what is left of the answer
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	if s.row == nil {
		s.row = make([]driver.Value, len(rows.Columns()))
	}
	scan := func(dest ...any) error { return scanRow(s.row, dest) }
	for {
		switch err := rows.Next(s.row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := each(scan); err != nil {
			return err
		}
	}
}

// scanRow puts the driver's values into places, as sql.Rows.Scan does.
func scanRow(row []driver.Value, dest []any) error {
	if len(dest) != len(row) {
		return fmt.Errorf("db: %d columns into %d places", len(row), len(dest))
	}
	for i, d := range dest {
		if err := scanValue(row[i], d); err != nil {
			return fmt.Errorf("db: column %d: %w", i+1, err)
		}
	}
	return nil
}

// scanValue puts one value into its place. Octets are the driver's until the
// next row.
func scanValue(v driver.Value, dest any) error {
	switch d := dest.(type) {
	case *int64:
		switch v := v.(type) {
		case int64:
			*d = v
			return nil
		case []byte: // a sum, which is a numeric
			n, err := strconv.ParseInt(string(v), 10, 64)
			*d = n
			return err
		}
	case *string:
		switch v := v.(type) {
		case string:
			*d = v
			return nil
		case []byte:
			*d = string(v)
			return nil
		}
	case *[]byte:
		switch v := v.(type) {
		case []byte:
			*d = append(make([]byte, 0, len(v)), v...)
			return nil
		case nil:
			*d = nil
			return nil
		}
	case *bool:
		if b, ok := v.(bool); ok {
			*d = b
			return nil
		}
	case sql.Scanner:
		if b, ok := v.([]byte); ok {
			v = append([]byte{}, b...)
		}
		return d.Scan(v)
	default: // a pointer to a type of its own
		p := reflect.ValueOf(dest)
		if p.Kind() != reflect.Pointer || p.IsNil() {
			break
		}
		switch p, n := p.Elem(), reflect.ValueOf(v); {
		case p.Kind() == reflect.String && n.IsValid() && n.Kind() == reflect.String:
			p.SetString(n.String())
			return nil
		case p.CanInt() && n.IsValid() && n.CanInt() && !p.OverflowInt(n.Int()):
			p.SetInt(n.Int())
			return nil
		case p.CanUint() && n.IsValid() && n.CanInt() && n.Int() >= 0 && !p.OverflowUint(uint64(n.Int())):
			p.SetUint(uint64(n.Int()))
			return nil
		case p.Kind() == reflect.Bool && n.IsValid() && n.CanInt():
			p.SetBool(n.Int() != 0)
			return nil
		}
	}
	return fmt.Errorf("%T into a %T", v, dest)
}
