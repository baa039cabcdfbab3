package runtime_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/runtime"
)

const (
	passwd = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n12:x:77:78::/:/bin/sh\n"
	group  = "root:x:0:\nalice:x:1000:\naudio:x:29:alice,bob\nvideo:x:44:alice\n"
)

func TestResolveUser(t *testing.T) {
	for spec, want := range map[string]runtime.User{
		"":            {Home: "/root"},
		"root":        {Home: "/root"},
		"alice":       {UID: 1000, GID: 1000, Groups: []uint32{29, 44}, Home: "/home/alice"},
		"1000":        {UID: 1000, GID: 1000, Groups: []uint32{29, 44}, Home: "/home/alice"},
		"alice:audio": {UID: 1000, GID: 29, Home: "/home/alice"},
		"alice:5":     {UID: 1000, GID: 5, Home: "/home/alice"},
		"4242":        {UID: 4242, Home: "/"},
		"4242:4343":   {UID: 4242, GID: 4343, Home: "/"},
		"4242:video":  {UID: 4242, GID: 44, Home: "/"},
		"12":          {UID: 12, Home: "/"}, // numbers are never names
	} {
		got, err := runtime.ResolveUser(spec, strings.NewReader(passwd), strings.NewReader(group))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", spec, got, err, want)
		}
	}
	for _, spec := range []string{"bob", "alice:nobody", "-1", "4294967295", "4294967296", "2147483648", "99999999999999999999", "0:4294967295", "a:b:c", ":", "alice:", ":audio"} {
		if got, err := runtime.ResolveUser(spec, strings.NewReader(passwd), strings.NewReader(group)); err == nil {
			t.Errorf("%q: accepted as %+v", spec, got)
		} else {
			t.Log(err)
		}
	}
	for spec, want := range map[string]bool{"": true, "0": true, "7:8": true, "root": false} {
		if _, err := runtime.ResolveUser(spec, nil, nil); (err == nil) != want {
			t.Errorf("without files, %q: %v", spec, err)
		}
	}
}

func FuzzResolveUser(f *testing.F) {
	f.Add("alice:audio", passwd, group)
	f.Add("", "root:x:-5:4294967295:::", "x:y:z")
	f.Fuzz(func(t *testing.T, spec, passwd, group string) {
		who, err := runtime.ResolveUser(spec, strings.NewReader(passwd), strings.NewReader(group))
		if err == nil && (who.UID >= 1<<31 || who.GID >= 1<<31) {
			t.Fatalf("%q: %+v", spec, who)
		}
	})
}
