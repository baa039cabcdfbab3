package digest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/inlaybuild/inlay/digest"
)

func ExampleOf() {
	fmt.Println(digest.Of([]byte("hello\n")))
	// Output: sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
}

func ExampleParse() {
	_, err := digest.Parse("md5:d41d8cd98f00b204e9800998ecf8427e")
	fmt.Println(err)
	// Output: invalid digest "md5:d41d8cd98f00b204e9800998ecf8427e": want "sha256:" and 64 hexadecimal digits
}

func TestTextRoundTrips(t *testing.T) {
	d := digest.Of([]byte("x"))
	p, err := digest.Parse(d.String())
	if err != nil || p != d {
		t.Fatalf("Parse(%s) = %s, %v", d, p, err)
	}
	var z digest.Digest
	if b, _ := z.MarshalText(); len(b) != 0 {
		t.Fatalf("zero marshals to %q", b)
	}
}

func TestVerifyAcceptsExactlyTheNamedBytes(t *testing.T) {
	body := []byte(strings.Repeat("inlay", 1000))
	d := digest.Of(body)
	flipped := bytes.Clone(body)
	flipped[77] ^= 1
	for _, c := range []struct {
		name string
		in   []byte
		size int64
		ok   bool
	}{
		{"exact", body, int64(len(body)), true},
		{"any size", body, -1, true},
		{"flipped", flipped, int64(len(body)), false},
		{"short", body[:len(body)-1], int64(len(body)), false},
		{"long", append(bytes.Clone(body), 'x'), int64(len(body)), false},
		{"empty", nil, int64(len(body)), false},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader,
		} {
			got, err := io.ReadAll(digest.Verify(wrap(bytes.NewReader(c.in)), d, c.size))
			if c.ok != (err == nil) || !c.ok && !errors.Is(err, digest.ErrMismatch) {
				t.Errorf("%s: %v", c.name, err)
			}
			if c.size >= 0 && int64(len(got)) > c.size {
				t.Errorf("%s: %d bytes came out of %d", c.name, len(got), c.size)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(digest.Of(nil).String())
	f.Add("sha256:")
	f.Add("sha256:" + strings.Repeat("G", 64))
	f.Fuzz(func(t *testing.T, s string) {
		d, err := digest.Parse(s)
		if err == nil && d.String() != s {
			t.Fatalf("%q parses to %s", s, d)
		}
		if err != nil && !errors.Is(err, digest.ErrInvalid) {
			t.Fatalf("%v is not ErrInvalid", err)
		}
	})
}
