package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"
	"golang.org/x/sys/unix"
)

// schema of records.db. The column seq only grows, also when a row is replaced:
// the collector finds by it what came since it looked.
const schema = `
CREATE TABLE IF NOT EXISTS nodes (
	seq INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE,
	broken INTEGER NOT NULL DEFAULT 0, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS results (
	seq INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, used INTEGER NOT NULL,
	trees BLOB NOT NULL, blobs BLOB NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS refs (
	seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, time INTEGER NOT NULL,
	trees BLOB NOT NULL, blobs BLOB NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS collections (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
INSERT OR IGNORE INTO collections VALUES (1, 0);
`

// database is records.db: connections that are opened when needed and kept, and
// one writer at a time in this process.
type database struct {
	path     string
	wait     time.Duration
	readOnly bool
	flags    string
	writer   chan struct{}

	mu   sync.Mutex
	idle []*conn
	shut bool
}

// conn is a connection with its prepared statements, used by one goroutine.
type conn struct {
	*sqlite3.Conn
	stmts   map[string]*sqlite3.Stmt
	durable bool // a commit is flushed
}

func makeDatabase(ctx context.Context, path string) error {
	c, err := sqlite3.OpenContext(ctx, uri(path, ""))
	if err != nil {
		return dbError(err)
	}
	err = c.Exec("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; BEGIN;" + schema + "COMMIT;")
	return dbError(errors.Join(err, c.Close()))
}

func uri(path, query string) string {
	u := "file:" + escapePath(path)
	if query != "" {
		u += "?" + query
	}
	return u
}

func escapePath(p string) string {
	var b []byte
	for i := range len(p) {
		switch c := p[i]; c {
		case '%', '?', '#':
			b = fmt.Appendf(b, "%%%02x", c)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func openDatabase(ctx context.Context, path string, wait time.Duration) (*database, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db := &database{path: path, wait: wait, flags: "mode=rw", writer: make(chan struct{}, 1)}
	if unix.Access(path, unix.W_OK) != nil {
		db.readOnly = true
		registerReadOnlyVFS()
		db.flags = "mode=ro&vfs=" + readOnlyVFSName
	}
	c, err := db.get(ctx)
	if err != nil && db.readOnly {
		// SQLite needs to write beside a database with a log, and cannot: take
		// the file as it is, unless there is a log.
		if info, serr := os.Stat(path + "-wal"); serr == nil && info.Size() > 0 {
			return nil, fmt.Errorf("%w: %w; it is written elsewhere: wait, or read it from there", ErrReadOnly, err)
		}
		db.flags = "immutable=1"
		c, err = db.get(ctx)
	}
	if err != nil {
		return nil, err
	}
	db.put(c)
	return db, nil
}

func (db *database) get(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	db.mu.Lock()
	if db.shut {
		db.mu.Unlock()
		return nil, fmt.Errorf("store: %w", os.ErrClosed)
	}
	var c *conn
	if n := len(db.idle); n > 0 {
		c = db.idle[n-1]
		db.idle = db.idle[:n-1]
	}
	db.mu.Unlock()
	if c == nil {
		raw, err := sqlite3.OpenContext(ctx, uri(db.path, db.flags))
		if err != nil {
			return nil, dbError(err)
		}
		c = &conn{Conn: raw, stmts: map[string]*sqlite3.Stmt{}, durable: true}
		if err := c.setup(db); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	c.SetInterrupt(ctx)
	return c, nil
}

func (c *conn) setup(db *database) error {
	if err := c.BusyTimeout(db.wait); err != nil {
		return dbError(err)
	}
	// The first read shows whether the file is a database at all.
	err := c.Exec("PRAGMA synchronous=FULL; PRAGMA cache_size=-8000; PRAGMA temp_store=MEMORY; SELECT 1 FROM refs LIMIT 1")
	return dbError(err)
}

func (db *database) put(c *conn) {
	const most = 8
	db.mu.Lock()
	if !db.shut && len(db.idle) < most && c.GetAutocommit() {
		db.idle = append(db.idle, c)
		c = nil
	}
	db.mu.Unlock()
	if c != nil {
		c.close()
	}
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.Close())
	}
	return dbError(errors.Join(append(errs, c.Conn.Close())...))
}

func (db *database) close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.shut = true
	var errs []error
	keep := db.keepsLog()
	for _, c := range db.idle {
		_, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, keep)
		errs = append(errs, dbError(err), c.close())
	}
	db.idle = nil
	return errors.Join(errs...)
}

// smallLog is how large a log may be that is left to who opens the database next, in
// bytes. Reading it takes half a millisecond at most; moving what it says into the
// database, with both on the disk, takes several, at the end of each command.
const smallLog = 256 << 10

// keepsLog tells whether the log is left as it is.
func (db *database) keepsLog() bool {
	info, err := os.Stat(db.path + "-wal")
	return err == nil && info.Size() <= smallLog
}

// read calls f in a transaction that sees one state of the database.
func (db *database) read(ctx context.Context, f func(*conn) error) error {
	c, err := db.get(ctx)
	if err != nil {
		return err
	}
	defer db.put(c)
	if err := c.Exec("BEGIN"); err != nil {
		return dbError(err)
	}
	return errors.Join(f(c), c.rollback())
}

// one calls f without a transaction, for a single statement.
func (db *database) one(ctx context.Context, f func(*conn) error) error {
	c, err := db.get(ctx)
	if err != nil {
		return err
	}
	defer db.put(c)
	return f(c)
}

// write calls f in a transaction that changes the database. One that is durable
// is on the disk when write returns; another survives the death of the process
// and is on the disk before any later durable one.
func (db *database) write(ctx context.Context, durable bool, f func(*conn) error) error {
	return db.writeWithin(ctx, durable, func(body func() error) error { return body() }, f)
}

// writeWithin is write that calls f and commits inside of around.
func (db *database) writeWithin(ctx context.Context, durable bool, around func(func() error) error, f func(*conn) error) error {
	select {
	case db.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-db.writer }()
	c, err := db.get(ctx)
	if err != nil {
		return err
	}
	defer db.put(c)
	if c.durable != durable {
		sync := "PRAGMA synchronous=NORMAL"
		if durable {
			sync = "PRAGMA synchronous=FULL"
		}
		if err := c.Exec(sync); err != nil {
			return dbError(err)
		}
		c.durable = durable
	}
	if err := c.Exec("BEGIN IMMEDIATE"); err != nil {
		return dbError(err)
	}
	err = around(func() error {
		if err := f(c); err != nil {
			return err
		}
		return dbError(c.Exec("COMMIT"))
	})
	return errors.Join(err, c.rollback())
}

// rollback ends a transaction, whatever became of the context.
func (c *conn) rollback() error {
	if c.GetAutocommit() {
		return nil
	}
	c.SetInterrupt(context.WithoutCancel(c.GetInterrupt()))
	return dbError(c.Exec("ROLLBACK"))
}

// query runs a statement and calls row for each row; row may be nil.
func (c *conn) query(sql string, bind func(*sqlite3.Stmt) error, row func(*sqlite3.Stmt) error) error {
	st, err := c.stmt(sql)
	if err != nil {
		return err
	}
	if bind != nil {
		if err := bind(st); err != nil {
			return dbError(errors.Join(err, st.Reset()))
		}
	}
	for st.Step() {
		if row == nil {
			continue
		}
		if err := row(st); err != nil {
			return errors.Join(err, st.Reset())
		}
	}
	err = st.Err()
	if rerr := st.Reset(); err == nil {
		err = rerr
	}
	if cerr := c.GetInterrupt().Err(); cerr != nil && errors.Is(err, sqlite3.INTERRUPT) {
		return cerr
	}
	return dbError(err)
}

func (c *conn) stmt(sql string) (*sqlite3.Stmt, error) {
	if st := c.stmts[sql]; st != nil {
		return st, nil
	}
	st, _, err := c.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, dbError(err)
	}
	c.stmts[sql] = st
	return st, nil
}

// dbError says what to do about an error of the database.
func dbError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlite3.INTERRUPT):
		return fmt.Errorf("%w: %w", context.Canceled, err)
	case errors.Is(err, sqlite3.FULL):
		return fmt.Errorf("records.db: %w: %w; free some space, inlay gc removes what is not needed", unix.ENOSPC, err)
	case errors.Is(err, sqlite3.BUSY):
		return fmt.Errorf("records.db: %w: %w; another inlay process is writing for very long", ErrBusy, err)
	case errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.NOTADB):
		return fmt.Errorf("records.db: %w; the database is damaged and cannot be mended: move the store away, and import again what was in it", err)
	default:
		return fmt.Errorf("records.db: %w", err)
	}
}
