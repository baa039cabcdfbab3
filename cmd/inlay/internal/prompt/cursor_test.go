package prompt

import (
	"io"
	"os"
	"testing"
	"time"
)

// A terminal's answer is found in pieces and among what was typed; one that gives none is
// asked once.
func TestATerminalIsAskedUntilItDoesNotAnswer(t *testing.T) {
	in, typing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	shown, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); typing.Close(); shown.Close(); out.Close() }()
	a := &answering{in: in, out: out}
	ask := func() {
		t.Helper()
		if _, err := a.Write(question); err != nil {
			t.Fatal(err)
		}
	}
	read := func(want string) {
		t.Helper()
		b := make([]byte, 64)
		n, err := a.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Fatalf("read %q, %v, want %q", b[:n], err, want)
		}
	}
	for range 2 {
		ask()
		for _, piece := range []string{"typed\x1b[12", ";1R", "more"} {
			if _, err := io.WriteString(typing, piece); err != nil {
				t.Fatal(err)
			}
			read(piece)
		}
	}
	asked := make([]byte, 64)
	if n, err := shown.Read(asked); err != nil || string(asked[:n]) != string(question)+string(question) {
		t.Errorf("it was asked %q, %v", asked[:n], err)
	}
	began := time.Now()
	for range 3 {
		ask()
		read(atTheStart)
	}
	if took := time.Since(began); took > 2*inTime {
		t.Errorf("it was waited for three times: %v", took)
	}
	if n, err := shown.Read(asked); err != nil || string(asked[:n]) != string(question) {
		t.Errorf("one that does not answer was asked %q, %v", asked[:n], err)
	}
}
