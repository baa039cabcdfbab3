package shim

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// heard gives what is passed on of pieces, and what is heard.
func heard(t *testing.T, mark string, pieces ...string) (passed string, said []string) {
	t.Helper()
	var out bytes.Buffer
	e := NewEar(mark, &out, func(text []byte) error {
		said = append(said, out.String()+"|"+string(text))
		return nil
	})
	for _, p := range pieces {
		if n, err := e.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String(), said
}

// What the program says is heard wherever it is cut, after all that came before it.
func TestWordsAreHeardAmongWhatAProcessWrites(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("before\x00\x00MAR")
	for _, text := range []string{"", "text"} {
		if err := utter(&b, "MARK", []byte(text)); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\x00MARx\x00")
	}
	all := b.String()
	const passed = "before\x00\x00MAR\x00MARx\x00\x00MARx\x00"
	for i := range all {
		for j := i; j <= len(all); j += 3 {
			got, said := heard(t, "MARK", all[:i], all[i:j], all[j:])
			if got != passed {
				t.Fatalf("cut at %d and %d: passed on %q", i, j, got)
			}
			if want := "before\x00\x00MAR||before\x00\x00MAR\x00MARx\x00|text"; strings.Join(said, "|") != want {
				t.Fatalf("cut at %d and %d: heard %q", i, j, said)
			}
		}
	}
}

func TestNothingIsHeldBackThatIsNoWord(t *testing.T) {
	var out bytes.Buffer
	e := NewEar("MARK", &out, func([]byte) error { return errors.New("heard") })
	zeros := strings.Repeat("\x00", 1<<20)
	for _, piece := range []string{"a", "\x00b", zeros + "c", "\x00MARx"} {
		before := out.Len()
		if _, err := e.Write([]byte(piece)); err != nil || out.Len() != before+len(piece) {
			t.Errorf("of %d bytes %d came (%v)", len(piece), out.Len()-before, err)
		}
	}
	// Who begins with a mark and never ends is not waited for.
	endless := "\x00MARK" + strings.Repeat("x", maxWords)
	before := out.Len()
	if _, err := e.Write([]byte(endless)); err != nil || out.Len() != before+len(endless) {
		t.Errorf("of %d bytes %d came (%v)", len(endless), out.Len()-before, err)
	}
	if _, err := e.Write([]byte("\x00MARK\x00")); err == nil {
		t.Error("an error of who hears is lost")
	}
}
