package embedded

import (
	"bytes"
	"strings"
	"testing"
)

func TestWhatIsKeptCompactIsBackAsItWas(t *testing.T) {
	for _, b := range [][]byte{nil, {0}, []byte("\x28\xb5\x2f\xfd"), bytes.Repeat([]byte("x"), worthCompact), []byte(strings.Repeat(`{"path":"é","mode":420}`, 10_000))} {
		kept, err := compact(b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := expanded(kept); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes are back of %d: %v", len(got), len(b), err)
		}
		if len(kept) > max(len(b)/20, worthCompact)+1 {
			t.Errorf("%d bytes are kept of %d", len(kept), len(b))
		}
	}
}

func TestWhatIsKeptInNoKnownWayIsAnError(t *testing.T) {
	whole, err := compact(make([]byte, 2*worthCompact))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, {2, 'x'}, {zstdded}, whole[:len(whole)-1]} {
		if b, err := expanded(bad); err == nil {
			t.Errorf("%q is taken for %q", bad, b)
		}
	}
}
