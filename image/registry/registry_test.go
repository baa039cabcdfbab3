package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/bcrypt"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/image/registry"
	"github.com/inlaybuild/inlay/internal/compress"
)

// server is a registry on loopback that remembers what it was asked, and in
// front of which a test may stand.
type server struct {
	*httptest.Server
	real http.Handler

	mu    sync.Mutex
	log   []string
	front func(w http.ResponseWriter, r *http.Request) (done bool)
}

const user, password = "ann", "s3cret-Of-Ann"

func start(t testing.TB, withAuth bool) *server {
	t.Helper()
	logrus.SetOutput(io.Discard)
	c := &configuration.Configuration{}
	c.Storage = configuration.Storage{"inmemory": nil, "delete": {"enabled": true}}
	c.Log.AccessLog.Disabled = true
	c.Log.Level = "panic"
	c.HTTP.Secret = "x"
	if withAuth {
		b, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "htpasswd")
		if err := os.WriteFile(file, []byte(user+":"+string(b)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Auth = configuration.Auth{"htpasswd": {"realm": "test", "path": file}}
	}
	app := handlers.NewApp(context.Background(), c)
	s := &server{real: app}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		app.Shutdown()
	})
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.log = append(s.log, r.Method+" "+r.URL.RequestURI())
	front := s.front
	s.mu.Unlock()
	if front == nil || !front(w, r) {
		s.real.ServeHTTP(w, r)
	}
}

func (s *server) stand(front func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.front = front
}

// asked gives the requests since the last call that contain all the words.
func (s *server) asked(words ...string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, l := range s.log {
		has := true
		for _, w := range words {
			has = has && strings.Contains(l, w)
		}
		if has {
			out = append(out, l)
		}
	}
	return out
}

func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

func (s *server) host() string { return strings.TrimPrefix(s.URL, "http://") }

func anonymous(string) (string, string, error) { return "", "", nil }

var quick = registry.Options{Credentials: anonymous, Backoff: time.Millisecond, Idle: 500 * time.Millisecond}

func (s *server) repository(t testing.TB, name string, opt registry.RepositoryOptions) *registry.Repository {
	return s.repositoryOf(t, registry.New(quick), name, opt)
}

func (s *server) repositoryOf(t testing.TB, c *registry.Client, name string, opt registry.RepositoryOptions) *registry.Repository {
	t.Helper()
	ref, err := registry.ParseRef(s.host() + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return c.Repository(ref, opt)
}

func TestRegistryKeepsTheLaws(t *testing.T) {
	imagetest.Laws(t, func(t *testing.T) imagetest.Place {
		return start(t, false).repository(t, "team/app", registry.RepositoryOptions{})
	})
}

func push(t testing.TB, p image.Sink, src image.Opener, d image.Descriptor, name string) {
	t.Helper()
	if err := image.Copy(t.Context(), p, src, d, name, image.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
}

func pull(t testing.TB, p image.Source, name string) error {
	t.Helper()
	d, err := p.Resolve(t.Context(), name)
	if err != nil {
		return err
	}
	return image.Copy(t.Context(), &imagetest.Memory{}, p, d, "x", image.CopyOptions{})
}

func TestSecondPushUploadsNothing(t *testing.T) {
	s := start(t, false)
	var m imagetest.Memory
	d := imagetest.Multi(t, &m)
	push(t, s.repository(t, "app:1", registry.RepositoryOptions{}), &m, d, "")
	if len(s.asked("PUT")) == 0 {
		t.Fatal("the first push sent nothing")
	}
	s.forget()
	push(t, s.repository(t, "app:1", registry.RepositoryOptions{}), &m, d, "")
	for _, method := range []string{"PUT", "POST", "PATCH"} {
		if again := s.asked(method + " "); len(again) > 0 {
			t.Errorf("the second push sent %v", again)
		}
	}
}

func TestBlobsAreMountedAcrossRepositories(t *testing.T) {
	s := start(t, false)
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	push(t, s.repository(t, "base", registry.RepositoryOptions{}), &m, d, "")
	img, err := image.Find(t.Context(), &m, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	base, _ := registry.ParseRef(s.host() + "/base")
	elsewhere, _ := registry.ParseRef("127.0.0.2:1/base")
	opt := registry.RepositoryOptions{MountFrom: map[digest.Digest][]registry.Ref{}}
	for _, l := range img.Layers() {
		opt.MountFrom[l.Digest] = []registry.Ref{elsewhere, base}
	}
	s.forget()
	push(t, s.repository(t, "team/app", opt), &m, d, "")
	if n := len(s.asked("POST", "mount=", "from=base")); n != len(img.Layers()) {
		t.Errorf("%d mounts of %d layers", n, len(img.Layers()))
	}
	if sent := s.asked("PUT", "/blobs/"); len(sent) != 1 { // the config alone
		t.Errorf("sent %v", sent)
	}
	if err := pull(t, s.repository(t, "team/app", registry.RepositoryOptions{}), ""); err != nil {
		t.Error(err)
	}
	// A repository that does not have it after all.
	wrong, _ := registry.ParseRef(s.host() + "/nosuch")
	for d := range opt.MountFrom {
		opt.MountFrom[d] = []registry.Ref{wrong}
	}
	push(t, s.repository(t, "other", opt), &m, d, "")
	if err := pull(t, s.repository(t, "other", registry.RepositoryOptions{}), ""); err != nil {
		t.Error(err)
	}
}

func TestCredentialsAreUsedAndNeverShown(t *testing.T) {
	s := start(t, true)
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	as := func(user, password string) *registry.Repository {
		opt := quick
		opt.Credentials = func(domain string) (string, string, error) {
			if domain != s.host() {
				t.Errorf("asked for the credentials of %s", domain)
			}
			return user, password, nil
		}
		return s.repositoryOf(t, registry.New(opt), "app", registry.RepositoryOptions{})
	}
	push(t, as(user, password), &m, d, "")
	if err := pull(t, as(user, password), ""); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*registry.Repository{as("", ""), as(user, "wr0ng-Secret")} {
		for op, err := range map[string]error{
			"pull": pull(t, r, ""), "push": image.Copy(t.Context(), r, &m, d, "", image.CopyOptions{}),
		} {
			if !errors.Is(err, registry.ErrDenied) || !strings.Contains(err.Error(), "docker login "+s.host()) {
				t.Errorf("%s: %v", op, err)
			}
			if strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("%s: the secret is in the error: %v", op, err)
			}
		}
	}
}

func TestDockersConfigIsRead(t *testing.T) {
	s := start(t, true)
	dir := t.TempDir()
	t.Setenv("DOCKER_AUTH_CONFIG", `{"auths":{"`+s.host()+`":{"auth":"YW5uOnMzY3JldC1PZi1Bbm4="}}}`)
	t.Setenv("DOCKER_CONFIG", dir)
	var m imagetest.Memory
	r := s.repositoryOf(t, registry.New(registry.Options{}), "app", registry.RepositoryOptions{})
	push(t, r, &m, imagetest.Simple(t, &m), "")
}

func TestAbsentImageIsOneClearError(t *testing.T) {
	s := start(t, false)
	err := pull(t, s.repository(t, "no/such:tag", registry.RepositoryOptions{}), "")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), s.host()+"/no/such:tag") || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
	s.Close()
	err = pull(t, s.repository(t, "app", registry.RepositoryOptions{}), "")
	if !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}

func TestBusyRegistryIsAskedAgain(t *testing.T) {
	for _, status := range []int{429, 500, 502, 503, 504} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel() // they wait, most of the time
			s := start(t, false)
			var m imagetest.Memory
			d := imagetest.Simple(t, &m)
			var mu sync.Mutex
			seen := map[string]int{}
			s.stand(func(w http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				key := r.Method + r.URL.Path
				if seen[key]++; seen[key] > 2 {
					return false
				}
				w.WriteHeader(status)
				return true
			})
			r := s.repository(t, "app", registry.RepositoryOptions{})
			push(t, r, &m, d, "")
			if err := pull(t, r, ""); err != nil {
				t.Errorf("twice: %v", err)
			}
			s.forget()
			s.stand(func(w http.ResponseWriter, r *http.Request) bool {
				w.WriteHeader(status)
				return true
			})
			err := pull(t, r, "")
			if !errors.Is(err, registry.ErrUnavailable) {
				t.Errorf("always: %v", err)
			}
			if n := len(s.asked("HEAD")); n != 5 {
				t.Errorf("always: asked %d times", n)
			}
		})
	}
}

// body of a blob, as the registry has it, cut or changed by a test.
func recorded(s *server, r *http.Request) []byte {
	w := httptest.NewRecorder()
	c := r.Clone(r.Context())
	c.Header.Del("Range")
	s.real.ServeHTTP(w, c)
	return w.Body.Bytes()
}

func isBlobGet(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/")
}

func TestCutConnectionIsResumed(t *testing.T) {
	for name, ranges := range map[string]bool{"with ranges": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			s := start(t, false)
			var m imagetest.Memory
			push(t, s.repository(t, "app", registry.RepositoryOptions{}), &m, imagetest.Simple(t, &m), "")
			var mu sync.Mutex
			cuts, resumed := 0, 0
			s.stand(func(w http.ResponseWriter, r *http.Request) bool {
				if !isBlobGet(r) {
					return false
				}
				if !ranges {
					r.Header.Del("Range")
				}
				mu.Lock()
				defer mu.Unlock()
				if r.Header.Get("Range") != "" {
					resumed++
				}
				if cuts == 4 {
					return false
				}
				rec := httptest.NewRecorder()
				s.real.ServeHTTP(rec, r)
				body := rec.Body.Bytes()
				if len(body) < 50_000 {
					w.WriteHeader(rec.Code)
					w.Write(body)
					return true
				}
				cuts++
				for k, v := range rec.Header() {
					w.Header()[k] = v
				}
				w.WriteHeader(rec.Code)
				w.Write(body[:len(body)/3])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			})
			s.Config.ErrorLog = nil
			if err := pull(t, s.repository(t, "app", registry.RepositoryOptions{}), ""); err != nil {
				t.Fatal(err)
			}
			if cuts != 4 || ranges && resumed == 0 {
				t.Errorf("%d cuts, %d resumed", cuts, resumed)
			}
		})
	}
}

func TestSilentRegistryIsAskedAgain(t *testing.T) {
	s := start(t, false)
	var m imagetest.Memory
	push(t, s.repository(t, "app", registry.RepositoryOptions{}), &m, imagetest.Simple(t, &m), "")
	var once sync.Once
	silent := false
	s.stand(func(w http.ResponseWriter, r *http.Request) bool {
		if !isBlobGet(r) {
			return false
		}
		mine := false
		body := recorded(s, r)
		if len(body) > 1_000_000 {
			once.Do(func() { mine, silent = true, true })
		}
		if !mine {
			return false
		}
		w.Write(body[:1000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	if err := pull(t, s.repository(t, "app", registry.RepositoryOptions{}), ""); err != nil || !silent {
		t.Fatal(err, silent)
	}
}

func TestLiesAreErrors(t *testing.T) {
	s := start(t, false)
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	push(t, s.repository(t, "app", registry.RepositoryOptions{}), &m, d, "")
	endless := func(w http.ResponseWriter) {
		for b := make([]byte, 1<<16); ; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	manifest := func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/")
	}
	head := func(r *http.Request) bool { return r.Method == http.MethodHead }
	for _, c := range []struct {
		name  string
		when  func(*http.Request) bool
		reply func(w http.ResponseWriter, r *http.Request)
		want  error
	}{
		{"blob with a bit flipped", isBlobGet, func(w http.ResponseWriter, r *http.Request) { w.Write(flip(recorded(s, r))) }, digest.ErrMismatch},
		{"blob cut short", isBlobGet, func(w http.ResponseWriter, r *http.Request) { b := recorded(s, r); w.Write(b[:len(b)-1]) }, nil},
		{"empty blob", isBlobGet, func(w http.ResponseWriter, r *http.Request) {}, nil},
		{"endless blob", isBlobGet, func(w http.ResponseWriter, r *http.Request) { w.Write(recorded(s, r)); endless(w) }, digest.ErrMismatch},
		{"page in place of a blob", isBlobGet, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html>log in first</html>")
		}, nil},
		{"manifest with a bit flipped", manifest, func(w http.ResponseWriter, r *http.Request) { w.Write(flip(recorded(s, r))) }, digest.ErrMismatch},
		{"endless manifest", manifest, func(w http.ResponseWriter, r *http.Request) { endless(w) }, nil},
		{"page in place of a manifest", head, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Length", "100")
			w.Header().Set("Docker-Content-Digest", d.Digest.String())
		}, image.ErrMediaType},
		{"schema 1", head, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
			w.Header().Set("Content-Length", "100")
			w.Header().Set("Docker-Content-Digest", d.Digest.String())
		}, image.ErrMediaType},
		{"index in place of a manifest", head, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", image.MediaTypeIndex)
			w.Header().Set("Content-Length", "100")
			w.Header().Set("Docker-Content-Digest", d.Digest.String())
		}, nil},
		{"no digest and an endless manifest", func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", image.MediaTypeManifest)
			if r.Method == http.MethodGet {
				endless(w)
			}
		}, image.ErrTooLarge},
		{"another digest", head, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", image.MediaTypeManifest)
			w.Header().Set("Content-Length", "100")
			w.Header().Set("Docker-Content-Digest", "sha256:zz")
		}, nil},
		{"redirect to plain HTTP elsewhere", isBlobGet, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/x?signature=s3cret", http.StatusTemporaryRedirect)
		}, nil},
	} {
		s.stand(func(w http.ResponseWriter, r *http.Request) bool {
			if c.when(r) {
				c.reply(w, r)
				return true
			}
			return false
		})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		before := time.Now()
		r := s.repository(t, "app", registry.RepositoryOptions{})
		got, err := r.Resolve(ctx, "")
		if err == nil {
			err = image.Copy(ctx, &imagetest.Memory{}, r, got, "x", image.CopyOptions{})
		}
		cancel()
		if err == nil || c.want != nil && !errors.Is(err, c.want) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "/app") {
			t.Errorf("%s: %v", c.name, err)
		}
		t.Logf("%-32s %v %v", c.name, time.Since(before).Round(time.Millisecond), err)
	}
}

func TestUploadIsMadeAgainWhenItIsCut(t *testing.T) {
	s := start(t, false)
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	var mu sync.Mutex
	cuts := 0
	s.stand(func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodPut || cuts == 3 {
			return false
		}
		cuts++
		io.CopyN(io.Discard, r.Body, 1000)
		if cuts == 2 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	r := s.repository(t, "app", registry.RepositoryOptions{})
	var moved int64
	err := image.Copy(t.Context(), r, &m, d, "", image.CopyOptions{Concurrency: 1, Progress: func(_ image.Descriptor, n int64) { moved += n }})
	if err != nil {
		t.Fatal(err)
	}
	g, err := image.Walk(t.Context(), &m, d)
	if err != nil {
		t.Fatal(err)
	}
	var want int64
	for _, b := range g.Blobs {
		want += b.Size
	}
	if moved != want || cuts != 3 {
		t.Errorf("progress %d of %d after %d cuts", moved, want, cuts)
	}
	if err := pull(t, r, ""); err != nil {
		t.Error(err)
	}
}

func TestCancelEndsWaiting(t *testing.T) {
	s := start(t, false)
	s.stand(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("enough"))
	defer cancel()
	before := time.Now()
	_, err := s.repository(t, "app", registry.RepositoryOptions{}).Resolve(ctx, "")
	if err == nil || !strings.Contains(err.Error(), "enough") || time.Since(before) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(before))
	}
}

func TestReferencesAreReadAsDockerDoes(t *testing.T) {
	hex := strings.Repeat("ab", 32)
	for in, want := range map[string]string{
		"127.0.0.1:5000/a/b":                    "127.0.0.1:5000/a/b:latest",
		"127.0.0.1:5000/a/b:1":                  "127.0.0.1:5000/a/b:1",
		"127.0.0.1:5000/a/b@sha256:" + hex:      "127.0.0.1:5000/a/b@sha256:" + hex,
		"127.0.0.1:5000/a/b:1@sha256:" + hex:    "127.0.0.1:5000/a/b:1@sha256:" + hex,
		"localhost/a":                           "localhost/a:latest",
		"":                                      "",
		"a/B":                                   "",
		"a:":                                    "",
		"127.0.0.1:5000/a@sha512:" + hex + hex:  "",
		"http://127.0.0.1/a":                    "",
		"127.0.0.1/" + strings.Repeat("a", 300): "",
	} {
		r, err := registry.ParseRef(in)
		if (err == nil) != (want != "") || err == nil && r.String() != want {
			t.Errorf("%q is %s, %v; want %q", in, r, err, want)
		}
	}
	r, err := registry.ParseRef("debian:12")
	if err != nil || r.Familiar() != "debian:12" || r.Path() != "library/debian" {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []string{"a/b", "../x", "x@y", strings.Repeat("x", 200)} {
		if _, err := r.In(bad); err == nil {
			t.Errorf("%q is a tag", bad)
		}
	}
}

func TestDockersTypesArePushedAndPulled(t *testing.T) {
	s := start(t, false)
	var m imagetest.Memory
	d := imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{Docker: true},
		imagetest.Layer(t, &m, imagetest.Tar(t, "x", 1000), compress.Gzip))
	r := s.repository(t, "app", registry.RepositoryOptions{})
	push(t, r, &m, d, "")
	got, err := r.Resolve(t.Context(), "")
	if err != nil || got.MediaType != image.MediaTypeDockerManifest {
		t.Fatal(got, err)
	}
	if err := pull(t, r, ""); err != nil {
		t.Error(err)
	}
}
