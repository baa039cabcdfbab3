package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/connhelper"
	"github.com/moby/buildkit/client/connhelper/dockercontainer"
	"github.com/moby/buildkit/client/connhelper/kubepod"
	"github.com/moby/buildkit/client/connhelper/nerdctlcontainer"
	"github.com/moby/buildkit/client/connhelper/podmancontainer"
	"github.com/moby/buildkit/client/connhelper/ssh"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Address is where a daemon is. The zero Address is none.
type Address struct {
	URL string // as buildctl has it: unix://, tcp://, docker-container://, ...
	TLS TLS
}

// TLS is with what a daemon behind tcp:// is trusted, and trusts. Files are PEM.
type TLS struct {
	CA   string // file of who vouches for the daemon; "" is those of the system
	Cert string // file of the certificate of this client
	Key  string // file of its key
	Name string // of the daemon, as its certificate has it; "" is the host's
}

// schemes are those of addresses.
var schemes = []string{"unix", "tcp", "docker-container", "podman-container", "nerdctl-container", "kube-pod", "ssh"}

// ParseAddress reads an address: unix:///run/buildkit/buildkitd.sock,
// tcp://host:1234, docker-container://name, kube-pod://pod, ssh://user@host.
// Options of TLS follow as ?ca=FILE&cert=FILE&key=FILE&servername=NAME.
func ParseAddress(s string) (Address, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Address{}, fmt.Errorf("%q is no address of a daemon: %w", s, err)
	}
	if !slices.Contains(schemes, u.Scheme) {
		return Address{}, fmt.Errorf("%q is no address of a daemon: it begins with one of %s://", s, strings.Join(schemes, "://, "))
	}
	if u.Host == "" && (u.Scheme != "unix" || u.Path == "") {
		return Address{}, fmt.Errorf("%q is no address of a daemon: it does not say where", s)
	}
	a := Address{}
	q := u.Query()
	if u.Scheme == "tcp" {
		if u.Port() == "" {
			return Address{}, fmt.Errorf("%q is no address of a daemon: the port is missing, as in tcp://%s:1234", s, u.Host)
		}
		for name, to := range map[string]*string{"ca": &a.TLS.CA, "cert": &a.TLS.Cert, "key": &a.TLS.Key, "servername": &a.TLS.Name} {
			*to = q.Get(name)
			q.Del(name)
		}
		for name := range q {
			return Address{}, fmt.Errorf("%q: %q is no option of a daemon's address: they are ca, cert, key and servername", s, name)
		}
		if (a.TLS.Cert == "") != (a.TLS.Key == "") {
			return Address{}, fmt.Errorf("%q: cert and key belong together", s)
		}
		for _, f := range []string{a.TLS.CA, a.TLS.Cert, a.TLS.Key} {
			if f == "" {
				continue
			}
			if _, err := os.Stat(f); err != nil {
				return Address{}, fmt.Errorf("the address of the daemon: %w", err)
			}
		}
		u.RawQuery = ""
	}
	a.URL = u.String()
	return a, nil
}

// String gives the URL.
func (a Address) String() string { return a.URL }

// scheme gives what the URL begins with.
func (a Address) scheme() string {
	scheme, _, _ := strings.Cut(a.URL, ":")
	return scheme
}

// helper gives what connects by a command; nil where none is needed.
func (a Address) helper() func(*url.URL) (*connhelper.ConnectionHelper, error) {
	return map[string]func(*url.URL) (*connhelper.ConnectionHelper, error){
		"docker-container": dockercontainer.Helper, "podman-container": podmancontainer.Helper,
		"nerdctl-container": nerdctlcontainer.Helper, "kube-pod": kubepod.Helper, "ssh": ssh.Helper,
	}[a.scheme()]
}

// options gives how a client reaches it.
func (a Address) options() []client.ClientOpt {
	u, err := url.Parse(a.URL)
	if err != nil {
		return nil // ParseAddress has it refused
	}
	if helper := a.helper(); helper != nil {
		h, err := helper(u)
		if err != nil {
			return nil // the client finds the same, and says so
		}
		return []client.ClientOpt{client.WithContextDialer(h.ContextDialer)}
	}
	if a.scheme() != "tcp" || a.TLS == (TLS{}) {
		return nil
	}
	name := a.TLS.Name
	if name == "" {
		name = u.Hostname()
	}
	var out []client.ClientOpt
	if a.TLS.CA != "" {
		out = append(out, client.WithServerConfig(name, a.TLS.CA))
	} else {
		out = append(out, client.WithServerConfigSystem(name))
	}
	if a.TLS.Cert != "" {
		out = append(out, client.WithCredentials(a.TLS.Cert, a.TLS.Key))
	}
	return out
}

// isUnavailable tells whether an error says that nobody answers.
func isUnavailable(err error) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if s, ok := e.(interface{ GRPCStatus() *status.Status }); ok && s.GRPCStatus().Code() == codes.Unavailable {
			return true
		}
	}
	return false
}

// unreached is why a daemon was not reached, in words for people.
type unreached struct {
	text string
	err  error
}

func (u *unreached) Error() string { return u.text }
func (u *unreached) Unwrap() error { return u.err }

// explained gives the reason alone of an error that connecting ends with, and what to
// do about it.
func (a Address) explained(err error) error {
	text := reason(err.Error())
	hint := ""
	switch {
	case strings.HasPrefix(text, "the command "):
		hint = "it must reach a buildkitd that has buildctl beside it"
	case a.helper() != nil && (strings.Contains(text, "broken pipe") || strings.Contains(text, "preface")):
		hint = "the command that connects to it ended at once: try it, with buildctl --addr " + a.URL + " debug workers"
	case errors.Is(err, context.DeadlineExceeded), strings.Contains(text, "deadline exceeded"):
		hint = "it took the connection and does not answer: is it a buildkitd, and is it well?"
	case strings.Contains(text, "no such file or directory"), strings.Contains(text, "connection refused"):
		hint = "is it running, and is the address right?"
	case strings.Contains(text, "certificate has expired or is not yet valid"):
		hint = "it needs another certificate, or one of the clocks is wrong"
	case strings.Contains(text, "private key does not match public key"):
		hint = "cert=FILE and key=FILE do not belong together"
	case strings.Contains(text, "failed to append ca certs"):
		hint = a.TLS.CA + " has no certificate of the form PEM: name the daemon's authority with ?ca=FILE"
	case strings.Contains(text, "failed to find any PEM data"):
		hint = "ca=FILE, cert=FILE and key=FILE are to be of the form PEM, as openssl makes them"
	case strings.Contains(text, "x509: certificate is valid for"), strings.Contains(text, "x509: cannot validate certificate for"):
		hint = "if that is the daemon, name it as its certificate does, with ?servername=NAME"
	case a.TLS == (TLS{}) && strings.HasPrefix(a.URL, "tcp://") && (strings.Contains(text, "preface") || strings.Contains(text, "EOF") || strings.Contains(text, "connection reset")):
		hint = "does it want TLS? Name its authority and a certificate that it trusts with ?ca=FILE&cert=FILE&key=FILE"
	case strings.Contains(text, "x509:"), strings.Contains(text, "tls:"):
		hint = "name the daemon's authority and a certificate that it trusts with ?ca=FILE&cert=FILE&key=FILE"
	case a.TLS != (TLS{}) && (strings.Contains(text, "broken pipe") || strings.Contains(text, "connection reset") || strings.Contains(text, "EOF")):
		hint = "it closed the connection, as it does when it does not trust the certificate of who asks"
	}
	if hint != "" {
		text += ": " + hint
	}
	return &unreached{text, err}
}

// reason gives what gRPC has wrapped up: why a connection failed, or how the command
// ended that was to make it.
func reason(text string) string {
	_, desc, ok := strings.Cut(text, "connection error: desc = ")
	if !ok {
		return text
	}
	if q, err := strconv.QuotedPrefix(desc); err == nil {
		desc, _ = strconv.Unquote(q) // it is one
	}
	desc = strings.TrimPrefix(strings.TrimPrefix(desc, "transport: "), "Error while dialing: ")
	_, rest, ok := strings.Cut(desc, "command [")
	if !ok {
		return desc
	}
	command, rest, ok := strings.Cut(rest, "] has exited with ")
	if !ok {
		return desc
	}
	how, said, _ := strings.Cut(rest, ", make sure")
	_, said, _ = strings.Cut(said, "stderr=")
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		how += ": " + last
	}
	return fmt.Sprintf("the command %q ended with %s", command, how)
}
