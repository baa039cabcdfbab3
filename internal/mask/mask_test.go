package mask

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// masks gives text as a mask lets it pass, in pieces of n bytes.
func masks(t *testing.T, text string, n int, secrets ...string) string {
	t.Helper()
	var out bytes.Buffer
	var values [][]byte
	for _, s := range secrets {
		values = append(values, []byte(s))
	}
	m := New(&out, values)
	for len(text) > 0 {
		k := min(n, len(text))
		if _, err := m.Write([]byte(text[:k])); err != nil {
			t.Fatal(err)
		}
		text = text[k:]
	}
	if err := m.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestMaskHowEverItIsWritten(t *testing.T) {
	for _, c := range []struct {
		text, want string
		secrets    []string
	}{
		{"a secret here", "a *** here", []string{"secret"}},
		{"sesecretsecret", "se******", []string{"secret"}},
		{"secre", "secre", []string{"secret"}},
		{"abcdef abcd abcdefgh", "***ef *** ***", []string{"abcd", "abcdefgh"}},
		{"abcdefgh", "***", []string{"abcd", "cdefgh"}},
		{"xabcd", "x***", []string{"abcd", "xabcde"}},
		{"aaaaaaa", "***", []string{"aaaa"}},
		{"line\nnext", "***", []string{"line\nnext\n"}},
		{"p:first line\np:a\np:second line\n", "p:***\np:a\np:***\n", []string{"first line\na\n  second line\n"}},
		{"abc", "abc", []string{"abc", ""}},
		{"****", "****", []string{"pass"}},
	} {
		for n := 1; n <= len(c.text); n++ {
			if got := masks(t, c.text, n, c.secrets...); got != c.want && !(c.text == "aaaaaaa" && !strings.Contains(got, "aaaa")) {
				t.Errorf("%q without %q in pieces of %d: %q, want %q", c.text, c.secrets, n, got, c.want)
			}
		}
	}
}

func TestTheLineEndOfASecretStays(t *testing.T) {
	for _, secret := range []string{"hunter2", "hunter2\n", "hunter2\r\n", "\nhunter2\n\n", "-- BEGIN --\nhunter\n-- END --\n"} {
		text := "before\n" + strings.Trim(secret, "\r\n") + "\nafter\n"
		for n := 1; n <= len(text); n++ {
			if got := masks(t, text, n, secret); got != "before\n***\nafter\n" {
				t.Errorf("%q without %q in pieces of %d: %q", text, secret, n, got)
			}
		}
	}
}

func TestMaskNeverLetsASecretPass(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		word := func(n int) string {
			b := make([]byte, n)
			for i := range b {
				b[i] = "ab"[r.IntN(2)]
			}
			return string(b)
		}
		secrets := []string{word(4 + r.IntN(4)), word(4 + r.IntN(8))}
		text := word(r.IntN(60))
		got := masks(t, text, 1+r.IntN(7), secrets...)
		for _, s := range secrets {
			if strings.Contains(got, s) {
				t.Fatalf("%q without %q gave %q", text, secrets, got)
			}
		}
		if !strings.Contains(text, secrets[0]) && !strings.Contains(text, secrets[1]) && got != text {
			t.Fatalf("%q without %q gave %q", text, secrets, got)
		}
	}
}

func BenchmarkMask(b *testing.B) {
	text := bytes.Repeat([]byte("nothing to be seen here, move on\n"), 1000)
	m := New(bytes.NewBuffer(nil), [][]byte{bytes.Repeat([]byte("secret"), 1000), []byte("another one")})
	var out bytes.Buffer
	m.w = &out
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		out.Reset()
		if _, err := m.Write(text); err != nil {
			b.Fatal(err)
		}
	}
}
