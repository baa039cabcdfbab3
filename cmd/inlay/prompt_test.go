package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// rootfs makes a small file system, named debian in the store.
func (p *pane) rootfs() {
	p.t.Helper()
	for name, text := range map[string]string{
		"root/etc/motd": "hello\n", "root/etc/os-release": "NAME=test\n", "root/usr/bin/sh": "", "root/opt/a b": "odd\n", "tool": "tool\n",
	} {
		name = filepath.Join(p.dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := os.Symlink("usr/bin", filepath.Join(p.dir, "root/bin")); err != nil {
		p.t.Fatal(err)
	}
	p.run("import", "dir:root", "debian")
}

// newBusyPane gives a pane with the file system, in which processes can be run, and where
// a static busybox is.
func newBusyPane(t *testing.T) (p *pane, box string) {
	t.Helper()
	program, box := runc(t), busybox()
	if program == "" || box == "" {
		t.Skip("running processes needs root, inlay-runc and a static busybox")
	}
	t.Setenv("INLAY_RUNC", program)
	p = newPane(t)
	p.rootfs()
	return p, box
}

func TestAConversationMakesAValueOfEachWord(t *testing.T) {
	p := newPane(t)
	p.rootfs()
	p.line("inlay", "\ninlay>")
	p.line("from debian", "\nv1 = from debian: 9 entries, 20 B\ninlay v1>")
	p.line("with-file /bin/tool ./tool | with-new-file /x 'a | b'", "\nv3 = with-new-file /x 'a | b': 1 entry added, 0 replaced, 10 shared\ninlay v3>")
	if seen := p.seen(); !strings.Contains(seen, "\nv2 = with-file /bin/tool ./tool: 1 entry added, 0 replaced, 9 shared\n") {
		t.Errorf("seen:\n%s", seen)
	}
	p.line("cat /bin/tool /x", "\ntool\na | b\ninlay v3>")
	p.line("ls /bin", "ls /bin\nsh\ntool\ninlay v3>")
	p.line("ls v1 /bin", "ls v1 /bin\nsh\ninlay v3>")
	p.line("diff", "diff\nA /x\ninlay v3>")
	p.line("diff v1", "diff v1\nA /usr/bin/tool\nA /x\ninlay v3>")
	p.line("diff v2 v1", "\nD /usr/bin/tool\ninlay v3>")
	seen := p.line("steps", "with-new-file /x (not cached: quicker to make again)\ninlay v3>")
	if !strings.Contains(seen, "#1   cached ") || !strings.Contains(seen, ": running, since ") {
		t.Errorf("seen:\n%s", seen)
	}
	p.line("explain last@4", " bytes of directories\ninlay v3>")
	p.line("runs", " 4 steps, 1 cached     inlay\ninlay v3>")
	p.line("log last@1", "inlay v3>")
	p.line("undo", "undo\ninlay v2>")
	p.line("without-file /etc/motd", "\nv4 = without-file /etc/motd: 0 entries added, 0 replaced, 1 removed, 9 shared\ninlay v4>")
	p.line("with-directory /old $v3", "\nv5 = with-directory /old $v3: 12 entries added, 0 replaced, 9 shared\ninlay v5>")
	p.line("use v4", "\ninlay v4>")
	p.line("values", "\n* v4   v2 | without-file /etc/motd\n  v5   v4 | with-directory /old $v3\ninlay v4>")
	seen = p.line("digest", "\ninlay v4>")
	_, digest, _ := strings.Cut(seen, "> digest\n")
	digest, _, _ = strings.Cut(digest, "\n")
	p.line("save session.inlay", "\nwrote session.inlay: inlay do -f session.inlay\ninlay v4>")
	p.line("exit", "exit\n$")
	if got := strings.TrimSpace(p.run("--progress", "quiet", "do", "-f", "session.inlay")); got != digest || !strings.HasPrefix(got, "sha256:") {
		t.Errorf("the script says %q, the conversation said %q", got, digest)
	}
	// What was typed is there again, for the user alone.
	p.line("inlay", "\ninlay>")
	p.keys("Up")
	p.waitEnd("\ninlay> exit")
	p.keys("C-c")
	p.waitEnd("\ninlay>")
	p.keys("C-d")
	p.waitEnd("\n$")
	if i, err := os.Stat(filepath.Join(p.dir, ".local/state/inlay/history")); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("the history is %v (%v)", i, err)
	}
}

func TestAConversationCompletesFromTheTree(t *testing.T) {
	p := newPane(t)
	p.rootfs()
	p.line("inlay", "\ninlay>")
	for _, c := range [][2]string{ // what is typed, and what is then on the line
		{"fro", "from"}, {"from deb", "from debian"},
	} {
		p.keys(c[0], "Tab")
		p.waitEnd("inlay> " + c[1])
		p.keys("C-u")
	}
	p.line("from debian", "\ninlay v1>")
	for _, c := range [][2]string{
		{"cat /etc/os", "cat /etc/os-release"},
		{"cat /bin/", "cat /bin/sh"},
		{"cat /op", "cat /opt/"},
		{"cat /opt/", "cat /opt/a\\ b"},
		{"cat '/opt/", "cat '/opt/a b'"},
		{"cat \"/opt/a", "cat \"/opt/a b\""},
		{"cat /opt/'a", "cat /opt/'a b'"},
		{"cat '/op", "cat '/opt/"},
		{"with-new-file /x 'a | b' | without-f", "with-new-file /x 'a | b' | without-file"},
		{"with-env \"A=$(fr", "with-env \"A=$(from"},
		{"with-directory / \"$v", "with-directory / \"$v1\""},
		{"with-directory / 'de", "with-directory / 'debian'"},
		{"log last@f", "log last@failed"}, {"steps last@1", "steps last@1"},
		{"without-f", "without-file"},
		{"without-file /etc/mo", "without-file /etc/motd"},
		{"with-file /etc/mo", "with-file /etc/motd"},
		{"with-file /bin/ ./to", "with-file /bin/ ./tool"},
		{"with-file --own", "with-file --owner"},
		{"with-file --existing rep", "with-file --existing replace"},
		{"with-directory / $v", "with-directory / $v1"},
		{"with-env A=1 | with-new-f", "with-env A=1 | with-new-file"},
		{"with-directory / $(fr", "with-directory / $(from"},
		{"with-exec s", "with-exec sh"},
		{"und", "undo"}, {"help with-mer", "help with-merged"}, {"diff v", "diff v1"},
	} {
		p.keys(c[0], "Tab")
		p.waitEnd("\ninlay v1> " + c[1])
		p.keys("C-u")
	}
	// Several are listed, and the line stays.
	p.keys("cat /etc/", "Tab")
	p.keys("Tab")
	if seen := p.waitFor("os-release"); !strings.Contains(seen, "inlay v1> cat /etc/") {
		t.Errorf("seen:\n%s", seen)
	}
	p.keys("C-c")
	p.keys("C-c")
	p.waitEnd("\ninlay v1>")
	p.line("cat /opt/a\\ b", "\nodd\ninlay v1>")
	p.line("exit", "\n$")
}

func TestAnErrorLeavesAConversationAsItWas(t *testing.T) {
	p := newPane(t)
	p.rootfs()
	p.line("inlay", "\ninlay>")
	p.line("ls", "\ninlay: there is no value to look at: start with a source, such as `from debian:12`\ninlay>")
	p.line("from debian | # and on", "\n.....>")
	p.line("with-env A=1", "\nv2 = with-env A=1: nothing changed, 9 entries shared\ninlay v2>")
	p.line("wiht-env", "\ninlay: pipeline 1:1: unknown word \"wiht-env\"; did you mean \"with-env\"?\ninlay v2>")
	p.line("with-env B=2 | with-file /x ./none", "\ninlay v2>")
	if seen := p.seen(); !strings.Contains(seen, "\ninlay: with-file /x ./none: ") {
		t.Errorf("seen:\n%s", seen)
	}
	p.line("cat /none", "\ninlay: find /none: file does not exist; the nearest directory that exists is /\ninlay v2>")
	p.line("save tool", "\ninlay: tool is there already: take another name\ninlay v2>")
	p.line("exit", "\n$")
}

func TestAnInterruptStopsAStepAndNotTheConversation(t *testing.T) {
	p, box := newBusyPane(t)
	p.line("inlay", "\ninlay>")
	p.line("from debian | with-file --mode 0755 /bin/busybox "+box, "\ninlay v2>")
	p.keys("with-exec -- busybox sh -c 'echo started; busybox sleep 98765'", "Enter")
	p.waitFor("\n => => # started")
	p.keys("C-c")
	p.waitEnd("\nstopped; the value is what it was\ninlay v2>")
	if out, err := exec.Command("pgrep", "-f", "busybox sleep 98765").Output(); err == nil {
		t.Errorf("left running: %s", out)
	}
	p.line("with-exec -- busybox sh -c 'busybox echo ran > /ran' | contents /ran", "\nran\ninlay v3>")
	// A shell sees the value, and its end is not that of the conversation.
	p.line("shell -- busybox sh -c 'busybox cat /ran; exit 3'", "\ninlay v3>")
	if seen := p.seen(); !strings.Contains(seen, "exit 3'\nran\ninlay: exited with code 3 after ") {
		t.Errorf("seen:\n%s", seen)
	}
	// What ends the program leaves the terminal as it was.
	p.keys("$(", "Enter") // a line goes on
	pid := strings.TrimSpace(p.tmux("list-panes", "-F", "#{pane_pid}"))
	if err := exec.Command("pkill", "-TERM", "-P", pid).Run(); err != nil { // the child of our own shell
		t.Fatal(err)
	}
	p.waitEnd("\ninlay: stopped by signal (terminated)\n$")
	if seen := p.line("clear; stty -a | grep -o '[-]*icanon'", "icanon\n$"); strings.Contains(seen, "\n-icanon") {
		t.Errorf("the terminal is raw:\n%s", seen)
	}
}

func TestAKilledConversationLeavesTheTerminalAsItWas(t *testing.T) {
	program := runc(t)
	if program == "" {
		t.Skip("guarding a terminal needs inlay-runc")
	}
	t.Setenv("INLAY_RUNC", program)
	p := newPane(t)
	p.line("stty -g > before; echo kept", "\nkept\n$")
	// A shell that does not set the terminal itself starts it.
	p.line("sh -c 'inlay; sleep 1; stty -g > after; echo over'", "\ninlay>")
	if err := exec.Command("pkill", "-KILL", "-f", "inlay$", "-t", strings.TrimPrefix(strings.TrimSpace(p.tmux("list-panes", "-F", "#{pane_tty}")), "/dev/")).Run(); err != nil {
		t.Fatal(err)
	}
	p.waitEnd("\nover\n$")
	p.line("cmp before after && echo the same", "\nthe same\n$")
}

func TestAShellInAConversationSeesWhatIsMountedThere(t *testing.T) {
	t.Setenv("TOKEN", "the-secret")
	p, box := newBusyPane(t)
	p.line("inlay", "\ninlay>")
	p.line("from debian | with-file --mode 0755 /bin/busybox "+box+" | with-env WHO me", "\ninlay v3>")
	p.line("with-mounted-directory /tools $(scratch | with-new-file /tool sharp) | with-mounted-secret /bin/token env:TOKEN", "\ninlay v5>")
	p.line("shell -- busybox sh -c 'busybox cat /tools/tool /usr/bin/token; echo; echo $WHO'", "\ninlay v5>")
	if seen := p.seen(); !strings.Contains(seen, "$WHO'\nsharpthe-secret\nme\ninlay: exited with code 0 after ") {
		t.Errorf("seen:\n%s", seen)
	}
	p.line("shell v3 -- busybox ls /tools", "\ninlay v5>")
	if seen := p.seen(); !strings.Contains(seen, "ls: /tools: No such file or directory\ninlay: exited with code 1 after ") {
		t.Errorf("the value before has the mount too:\n%s", seen)
	}
	p.line("exit", "\n$")
}

func TestLastIsTheConversationInEachOfItsCommands(t *testing.T) {
	p, box := newBusyPane(t)
	p.run("do", "scratch | with-new-file /before 'of the run before'") // as long as nothing was made, it is last
	p.line("inlay", "\ninlay>")
	p.line("cat last /before", "\nof the run before\ninlay>")
	p.line("ls last@1 /", "\ninlay>")
	p.line("from last", ": 1 entry, 17 B\ninlay v1>")
	p.line("from debian | with-file --mode 0755 /bin/busybox "+box, "\ninlay v3>")
	p.line("with-exec -- busybox sh -c 'echo half > /half; echo said; exit 3'", "\ninlay v3>")
	p.line("ls last@failed /", "\nhalf\nopt/\nusr/\ninlay v3>")
	p.line("cat last@failed /half", "\nhalf\ninlay v3>")
	p.line("diff v3 last@failed", "\nA /half\ninlay v3>")
	p.line("diff last@failed", "\nD /half\ninlay v3>")
	if seen := p.line("log last@failed", "\ninlay v3>"); !strings.Contains(seen, "log last@failed\nsaid\n") {
		t.Errorf("seen:\n%s", seen)
	}
	p.line("shell last@failed -- busybox sh -c 'busybox cat /half; exit 4'", "\ninlay v3>")
	if seen := p.seen(); !strings.Contains(seen, "\nhalf\ninlay: exited with code 4 after ") {
		t.Errorf("seen:\n%s", seen)
	}
	// Looking at another image, and missing one, are no steps of it.
	p.line("diff debian", "\nA /usr/bin/busybox\ninlay v3>")
	p.line("diff oci:none", "\ninlay v3>")
	if seen := p.line("steps", "\ninlay v3>"); !strings.Contains(seen, "#5   failed ") || strings.Contains(seen, "#6 ") {
		t.Errorf("seen:\n%s", seen)
	}
	p.line("log v1", "\ninlay: v1 is a value: want a run or a step of one, which `steps` lists\ninlay v3>")
	p.line("with-directory /of $(from last@failed | directory /usr) | contents /of/bin/sh", "\ninlay v4>")
	p.line("from last@failed", "\ninlay v5>")
	p.line("from last", "\ninlay v6>")
	p.line("with-exec -- busybox sh -c 'echo other > /other; exit 3'", "\ninlay v6>")
	p.line("cat last@failed /other", "\nother\ninlay v6>") // the last one that failed
	p.line("cat last /other", "\nother\ninlay v6>")
	want := p.line("ls v6 /", "\ninlay v6>")
	p.line("save session.inlay", "\ninlay v6>")
	p.line("exit", "\n$")
	text, err := os.ReadFile(filepath.Join(p.dir, "session.inlay"))
	if err != nil || regexp.MustCompile(`(?m)^[^#].*last`).Match(text) || strings.Count(string(text), "(from "+time.Now().UTC().Format("200601")) != 4 {
		t.Errorf("%v: the script does not say which run was meant:\n%s", err, text)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "session.inlay"), []byte(strings.TrimSpace(string(text))+" | entries /\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := p.run("--progress", "quiet", "do", "-f", "session.inlay"); got == "" || !strings.Contains(want, "ls v6 /\n"+got) {
		t.Errorf("the script comes to %q, and the conversation did to:\n%s", got, want)
	}
}

func TestAConversationNeedsNoTerminalThatSaysWhereItsCursorIs(t *testing.T) {
	s := newSessions(t)
	c := s.start() // whose terminal nobody answers
	for _, turn := range []struct{ typed, written string }{
		{"", "inlay> "}, {"scratch\r", "v1 = scratch: "}, {"\x03", "inlay v1> "}, {"with-new-file /a text\r", "inlay v2> "}, {"\x04", "\n"},
	} {
		_, err := c.ours.WriteString(turn.typed)
		must(t, err)
		c.untilWritten(turn.written)
	}
	c.ends(0, "nothing-runs")
}
