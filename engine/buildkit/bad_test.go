package buildkit_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/daemontest"
)

// script gives a shell script in a tree as a node.
func script(in *graph.Node, text string) *graph.Node {
	return graph.New(graph.Exec{Args: []string{"/bin/sh", "-c", text}, Network: graph.NetworkNone}, text, in)
}

func TestAnAddressWhereNobodyAnswersIsAnErrorThatNamesIt(t *testing.T) {
	daemontest.Skip(t)
	at := "unix://" + filepath.Join(t.TempDir(), "nobody")
	e := open(t, embedded.Options{}, buildkit.Options{Addresses: []daemon.Address{{URL: at}}})
	_, err := e.Resolve(t.Context(), script(enginetest.Busybox(t), "true"), nil)
	if err == nil || !strings.Contains(err.Error(), at) || !strings.Contains(err.Error(), "is it running") {
		t.Errorf("the error is %v", err)
	}
}

func TestADaemonIsReachedThroughTheCommandOfItsAddress(t *testing.T) {
	at := address(t).URL
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	for _, name := range []string{"docker", "kubectl", "ssh"} {
		text := fmt.Sprintf("#!/bin/sh\necho %s \"$@\" >> %s\nexec %s --addr %s dial-stdio\n", name, log, os.Getenv("INLAY_TEST_BUILDKIT")+"/buildctl", at)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for address, want := range map[string]string{
		"docker-container://box":                           "docker exec -i box buildctl dial-stdio",
		"kube-pod://pod?namespace=n&context=c&container=b": "kubectl --context=c --namespace=n exec --container=b -i pod -- buildctl dial-stdio",
		"ssh://user@host:2222":                             "ssh -l user -p 2222 -- host buildctl dial-stdio",
	} {
		all, err := buildkit.ParseEngine("buildkit://" + address)
		if err != nil {
			t.Fatal(err)
		}
		e := open(t, embedded.Options{}, buildkit.Options{Addresses: all})
		if _, err := e.Resolve(t.Context(), script(enginetest.Busybox(t), "echo "+address), nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		if b, err := os.ReadFile(log); err != nil || !strings.Contains(string(b), want+"\n") {
			t.Errorf("%s: called was %s (%v), want %s", address, b, err, want)
		}
	}
}

func TestACommandThatReachesNoDaemonIsAnErrorThatSaysWhy(t *testing.T) {
	daemontest.Skip(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\nhead -c 24 > /dev/null\necho first >&2; echo 'no such \"box\"' >&2; exit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	e := open(t, embedded.Options{}, buildkit.Options{Addresses: []daemon.Address{{URL: "docker-container://box"}}})
	_, err := e.Resolve(t.Context(), script(enginetest.Busybox(t), "true"), nil)
	const want = `docker-container://box: the command "docker exec -i box buildctl dial-stdio" ended with exit status 3: no such "box": it must`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v", err)
	}
	// One that ends before anything is said to it may leave nothing but that.
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = e.Resolve(t.Context(), script(enginetest.Busybox(t), "true"), nil)
	if err == nil || !strings.Contains(err.Error(), `the command "docker exec`) && !strings.Contains(err.Error(), "the command that connects to it ended at once: try it") {
		t.Errorf("the error is %v", err)
	}
}

func TestWhatIsNoAddressIsRefused(t *testing.T) {
	for _, s := range []string{"", "docker", "buildkit:/x", "buildkit://nothing", "buildkit://tcp://host", "buildkit://unix://", "buildkit://tcp://h:1?x=1", "buildkit://tcp://h:1?cert=a", "buildkit://tcp://h:1?ca=/does/not/exist", "buildkit://unix:///a,"} {
		if a, err := buildkit.ParseEngine(s); err == nil {
			t.Errorf("%q is taken for %v", s, a)
		}
	}
	for _, s := range []string{"buildkit://", "buildkit://unix:///run/x", "buildkit://tcp://h:1,tcp://g:2", "buildkit://docker-container://b", "buildkit://kube-pod://p?namespace=n", "buildkit://ssh://u@h"} {
		if _, err := buildkit.ParseEngine(s); err != nil {
			t.Error(err)
		}
	}
}

// started tells when a process has written something.
type started struct {
	once sync.Once
	c    chan struct{}
}

// Event takes an event.
func (s *started) Event(e engine.Event) {
	if _, ok := e.(engine.Output); ok {
		s.once.Do(func() { close(s.c) })
	}
}

func TestADaemonThatGoesAwayIsAnErrorThatNamesIt(t *testing.T) {
	daemontest.Skip(t)
	d := ownDaemon(t)
	e := open(t, embedded.Options{}, buildkit.Options{Addresses: []daemon.Address{{URL: d.Address}}})
	s := &started{c: make(chan struct{})}
	go func() {
		<-s.c
		d.Kill()
	}()
	_, err := e.Resolve(t.Context(), script(enginetest.Busybox(t), "echo up; sleep 60"), s)
	if err == nil || !strings.Contains(err.Error(), d.Address) {
		t.Errorf("the error is %v", err)
	}
}

func TestWhenADaemonOfAPoolGoesAwayAnotherOneGoesOnWithTheSharedCache(t *testing.T) {
	daemontest.Skip(t)
	var all []*daemontest.Daemon
	var at []daemon.Address
	for range 3 {
		d := ownDaemon(t)
		all, at = append(all, d), append(at, daemon.Address{URL: d.Address})
	}
	// What is in the shared cache is taken from there by who takes over, too: it is
	// random, and would be another one.
	ref := map[string]string{"ref": registry(t) + "/cache:1"}
	cache := []engine.Cache{{Type: "registry", Attrs: ref}}
	base := script(enginetest.Busybox(t), "mkdir /made; head -c 9 /dev/urandom > /made/a; touch -d @7 /made/a /made /")
	before := open(t, embedded.Options{}, buildkit.Options{Addresses: at[1:2], CacheTo: cache})
	made, err := before.Resolve(t.Context(), base, nil)
	if err == nil {
		_, err = before.ExportCache(t.Context(), nil)
	}
	if err == nil {
		made, err = made.Known(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	last := script(base, "echo up; sleep 3; cp -a /made /copy; touch -d @7 /; echo done")
	e := open(t, embedded.Options{Record: true}, buildkit.Options{Addresses: []daemon.Address{at[0], at[2], at[1]}, CacheFrom: cache})
	s := &started{c: make(chan struct{})}
	go func() {
		<-s.c
		all[0].Kill()
	}()
	got, err := e.Resolve(t.Context(), last, s)
	if err != nil {
		t.Fatal(err)
	}
	if got, err = got.Known(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, err := compose.Copy(t.Context(), made.Tree, "/copy/", made.Tree, "/made", compose.Options{Contents: true})
	if err != nil {
		t.Fatal(err)
	}
	if got.Tree.Digest() != want.Tree.Digest() {
		t.Errorf("the tree is %s, want %s", got.Tree.Digest(), want.Tree.Digest())
	}
	if said := got.Exec.Stdout; said.Size != int64(len("up\ndone\n")) || said.Content != digest.Of([]byte("up\ndone\n")) {
		t.Errorf("it said %+v", said)
	}
	again := fmt.Sprintf("[what was said before is of a run that does not count: started again on %s]\n", all[2].Address)
	if log := lastLog(t, e); log != "up\n"+again+"up\ndone\n" {
		t.Errorf("the log is %q", log)
	}
}

// lastLog gives all that the last process of the last run said that says something.
func lastLog(t *testing.T, e *embedded.Engine) (said string) {
	t.Helper()
	f, err := runs.Find(t.Context(), e.Store(), runs.Name{Run: runs.Last})
	if err != nil {
		t.Fatal(err)
	}
	l, err := runs.OpenLog(t.Context(), e.Store(), e, f.Run.Name, f.Steps[len(f.Steps)-1])
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for {
		r, err := l.Next()
		if errors.Is(err, io.EOF) {
			return said
		}
		if err != nil {
			t.Fatal(err)
		}
		said += string(r.Data)
	}
}

func TestWhoStopsWaitingStopsTheProcess(t *testing.T) {
	e := open(t, embedded.Options{}, buildkit.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	s := &started{c: make(chan struct{})}
	go func() {
		<-s.c
		cancel()
	}()
	began := time.Now()
	_, err := e.Resolve(ctx, script(enginetest.Busybox(t), "echo up; sleep 600"), s)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

func TestADaemonTooOldToMergeMakesTheSameTrees(t *testing.T) {
	enginetest.Equal(t, graphs(t, 8), enginetest.EqualOptions{First: 500, Limits: enginetest.Limits{NoMoves: true, UTF8: true, NoOddRoots: true}}, func(t testing.TB) (a, b engine.Engine) {
		return open(t, embedded.Options{}, buildkit.Options{}), open(t, embedded.Options{}, buildkit.Options{Copy: true})
	})
}

func TestContentThatIsNotWhatItsDigestSaysIsRefused(t *testing.T) {
	var r *buildkit.Remote
	at := address(t)
	e := openHere(t, embedded.Options{Remote: func(l engine.Local) (_ engine.Remote, err error) {
		r, err = buildkit.New(buildkit.Options{Addresses: []daemon.Address{at}}, l)
		return r, err
	}})
	res, err := e.Resolve(t.Context(), script(enginetest.Busybox(t), "echo 12345 > /f"), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := digest.Of([]byte("54321\n"))
	r.Mistake(d, res.Held, "/f", 6)
	f, err := e.OpenContent(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); !errors.Is(err, digest.ErrMismatch) {
		t.Errorf("it gave %q, %v", b, err)
	}
}

func TestWhatIsWhereADaemonHasWhatRunsAProcessIsAnErrorThatNamesIt(t *testing.T) {
	e := open(t, embedded.Options{}, buildkit.Options{})
	n := graph.New(graph.NewFile{Path: "/.inlay/data", Content: []byte("mine")}, "new", enginetest.Busybox(t))
	if _, err := e.Resolve(t.Context(), script(n, "cat /.inlay/data"), nil); err == nil || !strings.Contains(err.Error(), "/.inlay") || !strings.Contains(err.Error(), "another name") {
		t.Errorf("the error is %v", err)
	}
	mounted := graph.New(graph.Exec{
		Args: []string{"/bin/true"}, Network: graph.NetworkNone, Mounts: []graph.Mount{{Kind: graph.MountTemp, Target: "/.inlay/here"}},
	}, "mounted", enginetest.Busybox(t))
	if _, err := e.Resolve(t.Context(), mounted, nil); err == nil || !strings.Contains(err.Error(), "/.inlay/here") || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("the error of a mount is %v", err)
	}
}

// authority is who vouches for daemons and clients.
type authority struct {
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, name, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// file gives the name of a file of a certificate or a key.
func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes NAME.pem and NAME.key.
func (a *authority) issue(t *testing.T, name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.Subject = pkix.Name{CommonName: name}
	c.NotBefore = time.Now().Add(-time.Hour)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out, key
}

func TestADaemonBehindTLSIsTrustedByItsAuthorityAndTrustsOurs(t *testing.T) {
	daemontest.Skip(t)
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	ca.issue(t, "daemon", &x509.Certificate{DNSNames: []string{"pool.test"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	ca.issue(t, "client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	other.issue(t, "client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	port := freePort(t)
	d, err := daemontest.Start("--addr", "tcp://"+port, "--tlscacert", ca.file("ca.pem"), "--tlscert", ca.file("daemon.pem"), "--tlskey", ca.file("daemon.key"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	for _, c := range []struct {
		name, query, wrong string
	}{
		{"all is right", "?ca=" + ca.file("ca.pem") + "&cert=" + ca.file("client.pem") + "&key=" + ca.file("client.key") + "&servername=pool.test", ""},
		{"the daemon is vouched for by somebody else", "?ca=" + other.file("other.pem") + "&cert=" + ca.file("client.pem") + "&key=" + ca.file("client.key") + "&servername=pool.test", "authority"},
		{"the daemon has another name", "?ca=" + ca.file("ca.pem") + "&cert=" + ca.file("client.pem") + "&key=" + ca.file("client.key") + "&servername=other.test", "servername=NAME"},
		{"the client is vouched for by somebody else", "?ca=" + ca.file("ca.pem") + "&cert=" + other.file("client.pem") + "&key=" + other.file("client.key") + "&servername=pool.test", "certificate"},
		{"the daemon's certificate is not for an address", "?ca=" + ca.file("ca.pem") + "&cert=" + ca.file("client.pem") + "&key=" + ca.file("client.key"), "servername=NAME"},
		{"the key is that of another certificate", "?ca=" + ca.file("ca.pem") + "&cert=" + ca.file("client.pem") + "&key=" + other.file("client.key") + "&servername=pool.test", "do not belong together"},
		{"the authority is a key", "?ca=" + ca.file("ca.key") + "&cert=" + ca.file("client.pem") + "&key=" + ca.file("client.key") + "&servername=pool.test", "ca.key has no certificate"},
		{"the certificate is a key", "?ca=" + ca.file("ca.pem") + "&cert=" + ca.file("client.key") + "&key=" + ca.file("client.key") + "&servername=pool.test", "PEM"},
		{"nothing is said of TLS", "", "TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := buildkit.ParseEngine("buildkit://tcp://" + port + c.query)
			if err != nil {
				t.Fatal(err)
			}
			e := open(t, embedded.Options{}, buildkit.Options{Addresses: at})
			_, err = e.Resolve(t.Context(), script(enginetest.Busybox(t), "true"), nil)
			if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), port)) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestACertificateOfYesterdayIsAnErrorThatSaysSo(t *testing.T) {
	daemontest.Skip(t)
	ca := newAuthority(t, "ca")
	ca.issue(t, "daemon", &x509.Certificate{DNSNames: []string{"pool.test"}, NotAfter: time.Now().Add(-time.Minute)})
	ca.issue(t, "client", &x509.Certificate{})
	pair, err := tls.LoadX509KeyPair(ca.file("daemon.pem"), ca.file("daemon.key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	at, err := buildkit.ParseEngine("buildkit://tcp://" + l.Addr().String() + "?ca=" + ca.file("ca.pem") + "&cert=" + ca.file("client.pem") + "&key=" + ca.file("client.key") + "&servername=pool.test")
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, embedded.Options{}, buildkit.Options{Addresses: at})
	_, err = e.Resolve(t.Context(), script(enginetest.Busybox(t), "true"), nil)
	if err == nil || !strings.Contains(err.Error(), "expired") || !strings.Contains(err.Error(), "another certificate") {
		t.Errorf("the error is %v", err)
	}
}

// A process that ends otherwise where another daemon takes over is an error: what follows
// was to begin with what the first end left.
func TestADaemonThatTakesOverComesToTheSameEnds(t *testing.T) {
	daemontest.Skip(t)
	cache := []graph.Mount{{Kind: graph.MountCache, Target: "/c", Name: t.Name()}}
	with := func(in *graph.Node, text string) *graph.Node {
		return graph.New(graph.Exec{Args: []string{"/bin/sh", "-c", text}, Network: graph.NetworkNone, Mounts: cache}, text, in)
	}
	for name, last := range map[string]func(t *testing.T, e *embedded.Run, made *graph.Node) error{
		"a process": func(t *testing.T, e *embedded.Run, made *graph.Node) error {
			_, err := e.Resolve(t.Context(), script(made, "true"), nil)
			return err
		},
		"a digest": func(t *testing.T, e *embedded.Run, made *graph.Node) error {
			r, err := e.Resolve(t.Context(), made, nil)
			if err == nil {
				_, err = r.Known(t.Context())
			}
			return err
		},
		"a push": func(t *testing.T, e *embedded.Run, made *graph.Node) error {
			r, err := e.Resolve(t.Context(), made, nil)
			if err == nil {
				_, err = e.Export(t.Context(), r, engine.Place{Scheme: engine.SchemeName, Path: registry(t) + "/image:1"}, engine.ExportOptions{})
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var all []*daemontest.Daemon
			var at []daemon.Address
			for range 2 {
				d := ownDaemon(t)
				all, at = append(all, d), append(at, daemon.Address{URL: d.Address})
			}
			// Only the first one has a file in its cache.
			first := open(t, embedded.Options{}, buildkit.Options{Addresses: at[:1]})
			if _, err := first.Resolve(t.Context(), with(enginetest.Busybox(t), "echo > /c/there"), nil); err != nil {
				t.Fatal(err)
			}
			e := open(t, embedded.Options{}, buildkit.Options{Addresses: at}).Begin("takes over")
			made := script(with(enginetest.Busybox(t), "test -e /c/there"), "echo > /made")
			if _, err := e.Resolve(t.Context(), made, nil); err != nil {
				t.Fatal(err)
			}
			all[0].Kill()
			err := last(t, e, made)
			if err == nil || !strings.Contains(err.Error(), "test -e /c/there ended with code 1 when "+at[1].String()) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestASecretThatIsMissingIsToldAsOnThisMachine(t *testing.T) {
	daemontest.Skip(t)
	n := graph.New(graph.Exec{Args: []string{"/bin/true"}, Network: graph.NetworkNone, Mounts: []graph.Mount{
		{Kind: graph.MountSecret, Target: "/run/secret", Name: "file:/none"},
	}}, "true", enginetest.Busybox(t))
	var text []string
	for _, e := range []*embedded.Engine{openHere(t, embedded.Options{}), open(t, embedded.Options{}, buildkit.Options{})} {
		_, err := e.Resolve(t.Context(), n, nil)
		text = append(text, fmt.Sprint(err))
	}
	if text[0] != text[1] || !strings.Contains(text[1], "/none") {
		t.Errorf("here: %s\nat a daemon: %s", text[0], text[1])
	}
}

// freePort gives an address of this machine where nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestWhatFailedIsRunAgainAndWhatSucceedsThenIsAResult(t *testing.T) {
	e := open(t, embedded.Options{}, buildkit.Options{})
	cache := graph.Exec{Network: graph.NetworkNone, Mounts: []graph.Mount{{Kind: graph.MountCache, Target: "/c", Name: t.Name() + rand.Text()}}}
	cache.Args = []string{"/bin/sh", "-c", "echo x >> /c/tries; [ $(wc -l < /c/tries) = 3 ]"}
	n := graph.New(cache, "third time", enginetest.Busybox(t))
	for try, want := range []string{"failed", "failed", "ran", "cached"} {
		cached := false
		_, err := e.Resolve(t.Context(), n, engine.SinkFunc(func(ev engine.Event) {
			if s, ok := ev.(engine.StepEnded); ok {
				cached = s.Cached
			}
		}))
		got := "ran"
		switch {
		case err != nil:
			got = "failed"
		case cached:
			got = "cached"
		}
		if got != want {
			t.Errorf("try %d: it %s, want %s: %v", try+1, got, want, err)
		}
	}
}

// One failure is no reason for others to run for ever what has succeeded since.
func TestWhatSucceedsAfterAFailureIsAResultForAllClients(t *testing.T) {
	cache := graph.Exec{Network: graph.NetworkNone, Mounts: []graph.Mount{{Kind: graph.MountCache, Target: "/c", Name: t.Name() + rand.Text()}}}
	cache.Args = []string{"/bin/sh", "-c", "echo x >> /c/tries; [ $(wc -l < /c/tries) -ge 3 ] && " + uuid}
	n := graph.New(cache, "third time", enginetest.Busybox(t))
	var said []string
	for try := range 4 {
		t.Run(fmt.Sprint("client ", try+1), func(t *testing.T) { // which is closed before the next one
			e := open(t, embedded.Options{}, buildkit.Options{})
			if try >= 2 {
				said = append(said, saidBy(t, e, n))
			} else if _, err := e.Resolve(t.Context(), n, nil); err == nil {
				t.Error("it did not fail")
			}
		})
	}
	if len(said) != 2 || said[0] != said[1] {
		t.Errorf("it ran again: it said %q", said)
	}
}
