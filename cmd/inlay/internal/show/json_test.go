package show_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"pgregory.net/rapid"
)

func TestJSONControlsNoTerminalAndSaysTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.RuneFrom([]rune("a\x1b\x7f\u0080\u009b\u009f\u00a0\u00c2")))).Draw(t, "text")
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		out := show.JSON(b)
		if strings.ContainsFunc(string(out), func(r rune) bool { return r < 0x20 || r >= 0x7f && r <= 0x9f }) {
			t.Fatalf("%q controls", out)
		}
		var was, back string
		if err := json.Unmarshal(b, &was); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &back); err != nil || back != was {
			t.Fatalf("%q, %v: want %q", back, err, was)
		}
	})
}
