package embedded_test

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
)

func TestSocketsThatALayerCannotHoldAreTold(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := embedded.Open(t.Context(), embedded.Options{Store: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c := inlay.NewClient(e, nil)
	defer c.Close(t.Context())
	out := t.TempDir()
	for _, to := range []string{"oci:" + out + "/l", "oci:" + out + "/again", "tar:" + out + "/t"} {
		var told []string
		_, err := inlay.HostDirectory(dir).Export(t.Context(), c, to, engine.ExportOptions{
			Progress: engine.SinkFunc(func(ev engine.Event) {
				if left, ok := ev.(engine.LeftOut); ok {
					told = append(told, left.Paths...)
				}
			}),
		})
		if err != nil || !slices.Equal(told, []string{"/socket"}) {
			t.Errorf("%s: told of %q (%v)", to, told, err)
		}
	}
}

func TestOnlyNamesThatCanBeSaidAreNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"debian": true, "debian:12": true, "host.example:5000/team/app:v1": true, "[::1]:5000/a": true,
		"a@sha256:" + strings.Repeat("0", 64): true,
		"":                                    false, "./a": false, "../a": false, "/a": false, "-a": false, "a b": false, "a|b": false,
		"last": false, "last@2": false, "oci:a": false, "scratch": false, "a\x1b": false, "a\xff": false,
	} {
		if err := embedded.CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAnEmptyTarIsNoTree(t *testing.T) {
	e, err := embedded.Open(t.Context(), embedded.Options{Store: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	from, err := engine.ParsePlace("tar:-") // standard input has nothing
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Import(t.Context(), from, "a", embedded.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Fatal(err)
	}
}
