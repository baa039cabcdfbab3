package ignore_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/ignore"
	"pgregory.net/rapid"
)

// wanted gives the files below dir that are not ignored, as a capture walks.
func wanted(t *rapid.T, dir string) []string {
	var out []string
	var walk func(rel string, g *ignore.Git)
	walk = func(rel string, g *ignore.Git) {
		if text, err := os.ReadFile(filepath.Join(dir, rel, ".gitignore")); err == nil {
			g = g.Below(rel, text)
		}
		list, err := os.ReadDir(filepath.Join(dir, rel))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			p := strings.TrimPrefix(rel+"/"+e.Name(), "/")
			switch {
			case p == ".git" || g.Ignores(p, e.IsDir()):
			case e.IsDir():
				walk(p, g)
			default:
				out = append(out, p)
			}
		}
	}
	walk("", nil)
	slices.Sort(out)
	return out
}

func gitWants(t *rapid.T, dir string) []string {
	cmd := exec.Command("git", "ls-files", "-coz", "--exclude-per-directory=.gitignore")
	cmd.Dir = dir
	b, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for p := range bytes.SplitSeq(b, []byte{0}) {
		if len(p) > 0 {
			out = append(out, string(p))
		}
	}
	slices.Sort(out)
	return out
}

func TestGitWantsTheSameFiles(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git as the judge")
	}
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	name := rapid.SampledFrom([]string{"a", "b", "ab", "a.o", "b.o", "build", "x y", "#h", "!n", "a ", "[a]", "a\\b"})
	part := rapid.SampledFrom([]string{
		"a", "b", "ab", "*.o", "*", "**", "?", "a*", "*b", "build", "[ab]", "[!a]", "[^b]*", "[a-c]", "[[:alpha:]]", "[]a]", "[a",
		"\\*", "a\\ ", "a ", "x y", "\\#h", "#h", "\\!n", "!n", "\\[a]", "a\\\\b", "[[:bad:]]", "[a-", "\\", "***", "a**b", "[\\]a]", "[a-c-z]", "**a",
	})
	line := rapid.Custom(func(t *rapid.T) string {
		p := strings.Join(rapid.SliceOfN(part, 1, 3).Draw(t, "parts"), "/")
		return rapid.SampledFrom([]string{"", "", "", "!", "/", "!/", " "}).Draw(t, "front") + p +
			rapid.SampledFrom([]string{"", "", "/", "/**", " ", "\r", "/ ", "  "}).Draw(t, "end")
	})
	top := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(top, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
			t.Fatal(string(out))
		}
		for _, parts := range rapid.SliceOfN(rapid.SliceOfN(name, 1, 4), 1, 15).Draw(t, "files") {
			p := filepath.Join(append([]string{dir}, parts...)...)
			os.MkdirAll(filepath.Dir(p), 0o755)
			os.WriteFile(p, nil, 0o644)
		}
		var dirs, texts []string
		filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
			if e.Name() == ".git" {
				return filepath.SkipDir
			}
			if e.IsDir() {
				dirs = append(dirs, p)
			}
			return nil
		})
		for _, d := range dirs {
			if d != dir && !rapid.Bool().Draw(t, "nested") {
				continue
			}
			text := strings.Join(rapid.SliceOfN(line, 0, 5).Draw(t, "lines"), "\n")
			if strings.Contains(text, "a**b") && strings.Contains(text, "/") {
				text = strings.ReplaceAll(text, "a**b", "ab")
			}
			os.WriteFile(filepath.Join(d, ".gitignore"), []byte(text), 0o644)
			texts = append(texts, d+":\n"+text)
		}
		got, want := wanted(t, dir), gitWants(t, dir)
		if !slices.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q\n%s", got, want, strings.Join(texts, "\n"))
		}
	})
}

func TestManyStarsTakeLittleTime(t *testing.T) {
	g := (*ignore.Git)(nil).Below("", []byte(strings.Repeat("**/a*", 2000)+"b"))
	if g.Ignores(strings.Repeat("a/", 1000)+"a", false) {
		t.Fatal("matched")
	}
}

func FuzzGit(f *testing.F) {
	f.Add("*.o\n!a/b.o\n", "a/b.o", false)
	f.Add("[[:x", "[", true)
	f.Fuzz(func(t *testing.T, text, path string, dir bool) {
		(*ignore.Git)(nil).Below("", []byte(text)).Ignores(path, dir)
	})
}
