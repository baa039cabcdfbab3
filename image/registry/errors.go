package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
)

var (
	// ErrDenied is the error of a registry that wants other credentials, or
	// none of this user's.
	ErrDenied = errors.New("access denied")
	// ErrUnavailable is the error of a registry that could not be reached, or
	// failed every time it was asked.
	ErrUnavailable = errors.New("registry unavailable")
)

// Error is what became of a request. It tells what was asked for and what to do;
// it has no credentials and no query of a URL in it.
type Error struct {
	Op     string // "resolve", "pull" or "push"
	Ref    Ref
	Detail string // what the registry, or the network, said
	Advice string // what to do next; may be empty
	Err    error  // ErrDenied, ErrUnavailable, fs.ErrNotExist, digest.ErrMismatch, ...
}

// Error gives one line.
func (e *Error) Error() string {
	s := e.Op + " " + e.Ref.Familiar() + ": " + e.Err.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Advice != "" {
		s += ": " + e.Advice
	}
	return s
}

// Unwrap gives the error that this one is a case of.
func (e *Error) Unwrap() error { return e.Err }

// answerError is an answer with a status that was not due.
type answerError struct {
	code int
	text string
}

func (e *answerError) Error() string {
	s := fmt.Sprintf("%d %s", e.code, http.StatusText(e.code))
	if e.text != "" {
		s += ": " + e.text
	}
	return s
}

func wantStatus(resp *http.Response, want ...int) error {
	for _, w := range want {
		if resp.StatusCode == w {
			return nil
		}
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	return &answerError{resp.StatusCode, message(body)}
}

// message gives what a body of errors says, as the distribution specification
// has it.
func message(body []byte) string {
	var said struct {
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil || len(said.Errors) == 0 {
		return ""
	}
	s := said.Errors[0].Message
	if s == "" {
		s = said.Errors[0].Code
	}
	if len(s) > 300 {
		s = s[:300] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

func isDenied(err error) bool {
	var a *answerError
	var u remoteerrors.ErrUnexpectedStatus
	return errors.Is(err, docker.ErrInvalidAuthorization) ||
		errors.As(err, &a) && (a.code == http.StatusUnauthorized || a.code == http.StatusForbidden) ||
		errors.As(err, &u) && (u.StatusCode == http.StatusUnauthorized || u.StatusCode == http.StatusForbidden)
}

// explain makes one clear error of what the libraries below say.
func (r *Repository) explain(ctx context.Context, op string, ref Ref, err error) error {
	var done *Error
	if errors.As(err, &done) {
		return err
	}
	e := &Error{Op: op, Ref: ref, Err: err}
	var answer *answerError
	var status remoteerrors.ErrUnexpectedStatus
	var busy *statusError
	var plain *plainError
	var source *sourceError
	if errors.As(err, &status) {
		answer = &answerError{status.StatusCode, message(status.Body)}
	} else {
		errors.As(err, &answer)
	}
	switch {
	case ctx.Err() != nil:
		e.Err = context.Cause(ctx)
	case errors.As(err, &source):
		e.Err = source.err
	case isDenied(err):
		e.Err, e.Advice = ErrDenied, fmt.Sprintf("run \"docker login %s\", or check the name", ref.domain)
		if answer != nil {
			e.Detail = answer.Error()
		}
	case errdefs.IsNotFound(err), answer != nil && answer.code == http.StatusNotFound:
		e.Err, e.Advice = fs.ErrNotExist, "check the name and the tag; a private repository may need \"docker login "+ref.domain+"\""
		if answer != nil {
			e.Detail = answer.Error()
		}
	case errors.As(err, &busy):
		e.Err, e.Detail, e.Advice = ErrUnavailable, busy.Error(), "try again later"
		if busy.code == http.StatusTooManyRequests {
			e.Advice = fmt.Sprintf("wait, or run \"docker login %s\" for a higher limit", ref.domain)
		}
	case answer != nil:
		e.Err = answer
	case errors.As(err, &plain):
		e.Err, e.Advice = plain, "allow it if the network is trusted"
	default:
		explainNetwork(e, err)
	}
	e.Detail = r.client.creds.redact(e.Detail)
	return e
}

// explainNetwork takes the URL, which may be signed, out of the error of a
// request that had no answer.
func explainNetwork(e *Error, err error) {
	var u *url.Error
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns), errors.As(err, &op):
		e.Err, e.Advice = ErrUnavailable, "check the name of the registry and the network"
		e.Detail = err.Error()
		if errors.As(err, &u) {
			e.Detail = u.Err.Error()
		}
	case errors.As(err, &u) && u.Timeout():
		e.Err, e.Detail, e.Advice = ErrUnavailable, "it does not answer", "try again later"
	case errors.As(err, &u) && strings.Contains(u.Err.Error(), "HTTP response to HTTPS client"):
		e.Err, e.Detail, e.Advice = ErrUnavailable, "it speaks plain HTTP", "allow that for "+e.Ref.domain+" if the network is trusted"
	case errors.As(err, &u):
		e.Err = u.Err
	case errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "://"):
		e.Err, e.Detail, e.Advice = ErrUnavailable, err.Error(), "try again"
	}
}
