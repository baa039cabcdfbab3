package registry_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/image/registry"
)

func TestCredentialHelpersAreAsked(t *testing.T) {
	s := start(t, true)
	bin := t.TempDir()
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	helper := func(script string) {
		if err := os.WriteFile(filepath.Join(bin, "docker-credential-inlaytest"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DOCKER_CONFIG", configDir(t, fmt.Sprintf(`{"credHelpers":{%q:"inlaytest",%q:"inlay-nosuch"}}`, s.host(), "127.0.0.1:1")))
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	attempt := func() error {
		r := s.repositoryOf(t, registry.New(registry.Options{}), "app", registry.RepositoryOptions{})
		return image.Copy(t.Context(), r, &m, d, "", image.CopyOptions{})
	}
	helper(`read host; echo '{"ServerURL":"x","Username":"` + user + `","Secret":"` + password + `"}'`)
	if err := attempt(); err != nil {
		t.Error(err)
	}
	helper(`echo "leaked s3cret"; exit 1`)
	if err := attempt(); err == nil || strings.Contains(err.Error(), "leaked") || !strings.Contains(err.Error(), "docker login") {
		t.Error(err)
	}
	os.Remove(filepath.Join(bin, "docker-credential-inlaytest"))
	if err := attempt(); err == nil || !strings.Contains(err.Error(), "not in PATH") {
		t.Error(err)
	}
}

func configDir(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
