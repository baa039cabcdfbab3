package registry_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/image/layout"
	"github.com/inlaybuild/inlay/image/registry"
)

// withTokens makes s want a token for the scope of each request, which it
// hands out itself to user and password.
func withTokens(s *server) {
	s.stand(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			if err := r.ParseForm(); err != nil || r.PostForm.Get("password") != password {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			json.NewEncoder(w).Encode(map[string]any{"access_token": r.PostForm.Get("scope"), "expires_in": 300})
			return true
		}
		repo := strings.TrimPrefix(r.URL.Path, "/v2/")
		if i := strings.LastIndex(repo, "/blobs/"); i >= 0 {
			repo = repo[:i]
		}
		if i := strings.LastIndex(repo, "/manifests/"); i >= 0 {
			repo = repo[:i]
		}
		need := "repository:" + repo + ":pull"
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			need += ",push"
		}
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		from := r.URL.Query().Get("from")
		if strings.Contains(token, need) && (from == "" || strings.Contains(token, "repository:"+from+":pull")) {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+s.URL+`/token",service="test",scope="`+need+`"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
}

func TestTokensAreFetchedForEachRepository(t *testing.T) {
	s := start(t, false)
	withTokens(s)
	opt := quick
	opt.Credentials = func(string) (string, string, error) { return user, password, nil }
	c := registry.New(opt)
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	push(t, s.repositoryOf(t, c, "base", registry.RepositoryOptions{}), &m, d, "")
	base, err := registry.ParseRef(s.host() + "/base")
	if err != nil {
		t.Fatal(err)
	}
	img, err := image.Find(t.Context(), &m, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	mount := map[digest.Digest][]registry.Ref{}
	for _, l := range img.Layers() {
		mount[l.Digest] = []registry.Ref{base}
	}
	s.forget()
	push(t, s.repositoryOf(t, c, "app", registry.RepositoryOptions{MountFrom: mount}), &m, d, "")
	if sent := s.asked("PUT", "/blobs/"); len(sent) != 1 {
		t.Errorf("sent %v", sent)
	}
	if err := pull(t, s.repositoryOf(t, c, "app", registry.RepositoryOptions{}), ""); err != nil {
		t.Error(err)
	}
	if n := len(s.asked("/token")); n > 6 {
		t.Errorf("%d tokens were fetched", n)
	}
}

func TestSkopeoPullsAndPushesTheSame(t *testing.T) {
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Skip("no skopeo in PATH")
	}
	s := start(t, false)
	var m imagetest.Memory
	d := imagetest.Multi(t, &m)
	push(t, s.repository(t, "app:1", registry.RepositoryOptions{}), &m, d, "")
	dir := filepath.Join(t.TempDir(), "l")
	for _, args := range [][]string{
		{"--src-tls-verify=false", "docker://" + s.host() + "/app:1", "oci:" + dir + ":x"},
		{"--dest-tls-verify=false", "oci:" + dir + ":x", "docker://" + s.host() + "/back:1"},
	} {
		cmd := exec.Command("skopeo", append([]string{"--insecure-policy", "copy", "--all", "--preserve-digests"}, args...)...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("skopeo: %v: %s", err, errs.String())
		}
	}
	l, err := layout.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, src := range map[string]image.Source{"x": l, "1": s.repository(t, "back", registry.RepositoryOptions{})} {
		got, err := src.Resolve(t.Context(), name)
		if err != nil || got.Digest != d.Digest {
			t.Errorf("%s is %s, %v; want %s", name, got.Digest, err, d.Digest)
		}
		if err := pull(t, src, name); err != nil {
			t.Error(err)
		}
	}
}
