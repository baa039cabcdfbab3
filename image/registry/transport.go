package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
)

// transport makes requests again that a registry was too busy for, refuses
// those that would go over plain HTTP without leave, and bounds what comes back
// in size and in silence.
type transport struct {
	base     http.RoundTripper
	plain    []string
	attempts int
	backoff  time.Duration
	idle     time.Duration
}

const maxPause = 30 * time.Second

// bodyLimitKey is the context's key of the most bytes of an answer.
type bodyLimitKey struct{}

// defaultBodyLimit is the most bytes of an answer that is no blob: a manifest,
// a token, an error.
const defaultBodyLimit = image.MaxManifestSize + 1<<16

func withBodyLimit(ctx context.Context, n int64) context.Context {
	return context.WithValue(ctx, bodyLimitKey{}, max(n, defaultBodyLimit))
}

// statusError is the answer of a registry that failed every time it was asked.
type statusError struct {
	code     int
	attempts int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%d %s, %d times", e.code, http.StatusText(e.code), e.attempts)
}

// plainError is a request that would have gone over plain HTTP without leave.
type plainError struct{ host string }

func (e *plainError) Error() string { return "plain HTTP to " + e.host + " is not allowed" }

// sourceError is the failure of what a blob is read from while it is pushed: no
// matter of the registry, and not for it to be asked again.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

func (t *transport) isPlain(host string) bool {
	if slices.Contains(t.plain, host) {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if n := len(name); n > 2 && name[0] == '[' && name[n-1] == ']' {
		name = name[1 : n-1]
	}
	return name == "localhost" || net.ParseIP(name).IsLoopback()
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !t.isPlain(req.URL.Host) {
		return nil, &plainError{req.URL.Host}
	}
	limit, ok := req.Context().Value(bodyLimitKey{}).(int64)
	if !ok {
		limit = defaultBodyLimit
	}
	pause := t.backoff
	for attempt := 1; ; attempt++ {
		resp, err := t.once(req, attempt, limit)
		again := err == nil && isBusy(resp.StatusCode) || err != nil && isCut(err)
		if !again || req.Context().Err() != nil {
			return resp, err
		}
		wait := pause/2 + rand.N(pause/2+1)
		if err == nil {
			wait = max(wait, retryAfter(resp))
			err = &statusError{resp.StatusCode, attempt}
			io.CopyN(io.Discard, resp.Body, 1<<16)
			resp.Body.Close()
		}
		if attempt >= t.attempts || req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
			return nil, err
		}
		if err := sleep(req.Context(), min(wait, maxPause)); err != nil {
			return nil, err
		}
		pause = min(2*pause, maxPause)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// once makes the request once; the answer's body ends with an error at the
// limit, and when it stands still.
func (t *transport) once(req *http.Request, attempt int, limit int64) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	clone := req.Clone(ctx)
	clone.Header.Set("Accept-Encoding", "identity") // a blob is what its digest names
	if attempt > 1 && req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			cancel(nil)
			return nil, err
		}
		clone.Body = body
	}
	resp, err := t.base.RoundTrip(clone)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp.Request = req
	resp.Body = newWatched(resp.Body, limit, t.idle, cancel)
	return resp, nil
}

func isBusy(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// isCut tells whether a connection broke in a way that another may not.
func isCut(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, digest.ErrMismatch) {
		return false
	}
	var source *sourceError
	if errors.As(err, &source) {
		return false
	}
	var timeout net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

func retryAfter(resp *http.Response) time.Duration {
	s := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 1<<20 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

var errIdle = fmt.Errorf("the registry sends nothing any more: %w", io.ErrUnexpectedEOF)

// watched is a body with a limit of size, whose request is cancelled when no
// byte of it comes for too long.
type watched struct {
	io.ReadCloser
	left   int64
	idle   time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
	once   sync.Once
	fired  chan struct{}
}

func newWatched(body io.ReadCloser, limit int64, idle time.Duration, cancel context.CancelCauseFunc) *watched {
	w := &watched{ReadCloser: body, left: limit, idle: idle, cancel: cancel, fired: make(chan struct{})}
	w.timer = time.AfterFunc(idle, func() {
		w.once.Do(func() { close(w.fired) })
		cancel(errIdle)
	})
	w.timer.Stop() // it runs while somebody waits for bytes
	return w
}

func (w *watched) Read(b []byte) (int, error) {
	select {
	case <-w.fired:
		return 0, errIdle
	default:
	}
	w.timer.Reset(w.idle)
	n, err := w.ReadCloser.Read(b)
	w.timer.Stop()
	if w.left -= int64(n); w.left < 0 {
		return 0, fmt.Errorf("answer of the registry: %w", image.ErrTooLarge)
	}
	if err != nil && err != io.EOF {
		select {
		case <-w.fired:
			err = errIdle
		default:
		}
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	err := w.ReadCloser.Close()
	w.cancel(nil)
	return err
}
