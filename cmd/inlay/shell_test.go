package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// lines gives the numbers from one to another as seq(1) writes them.
func lines(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

func TestAShellThatIsGoneIsSaidToBe(t *testing.T) {
	s := newSessions(t)
	s.run("do", "from box | without-file /bin/sh | export oci:"+s.store+"/../gone")
	s.run("import", "oci:"+s.store+"/../gone", "gone")
	screen := newScreen(t, s.env...)
	before := screen.settings()
	screen.begin("echo before; inlay shell gone; echo code $?")
	seen := screen.waitFor("\ncode 127\n")
	want := "before\n`inlay shell --with-shell gone` lends a shell\ninlay: exited with code 127 after "
	if !strings.Contains(seen, want) || !strings.Contains(seen, " ms: /bin/sh does not exist\ncode 127\n") {
		t.Errorf("seen:\n%s", seen)
	}
	if after := screen.settings(); after != before {
		t.Errorf("the terminal was left as\n%s, and was\n%s", after, before)
	}
	// A shell that is lent is there, and is not in the tree.
	screen.begin("inlay shell --with-shell gone -- sh -c 'ls -d /bin/sh /.inlay/sh; echo $PATH; exit 4'; echo code $?")
	seen = screen.waitFor("\ncode 4\n")
	if !strings.Contains(seen, "ls: /bin/sh: No such file") || !strings.Contains(seen, "\n/.inlay/sh\n") || !strings.Contains(seen, ":/bin:/.inlay\n") {
		t.Errorf("seen:\n%s", seen)
	}
	if strings.Contains(seen, "changed") {
		t.Errorf("what is lent is no change:\n%s", seen)
	}
}

func TestLastWordsAndExitCodeOfAMoment(t *testing.T) {
	s := newSessions(t)
	screen := newScreen(t, s.env...)
	screen.line("inlay shell box -- sh -c 'printf LAST-NO-EOL; exit 7'; echo code $?")
	seen := screen.waitFor("\ncode 7\n")
	if !strings.Contains(seen, "\nLAST-NO-EOL\ninlay: exited with code 7 after ") {
		t.Errorf("seen:\n%s", seen)
	}
	// Nor is it written over where the process went back in the line, or up.
	screen.begin("inlay shell box -- printf 'first\\nSECOND-NO-EOL\\r\\033[A'; echo code $?")
	seen = screen.waitFor("\ncode 0\n")
	if !strings.Contains(seen, "\nfirst\nSECOND-NO-EOL\ninlay: exited with code 0 after ") {
		t.Errorf("seen:\n%s", seen)
	}
	// In a shell of its own, too, whose user types it.
	screen.begin("inlay shell box; echo code $?")
	screen.waitFor("/ #")
	screen.line("printf LAST-NO-EOL; exit 7")
	seen = screen.waitFor("\ncode 7\n")
	if !strings.Contains(seen, "\nLAST-NO-EOL\ninlay: exited with code 7 after ") {
		t.Errorf("seen:\n%s", seen)
	}
}

func TestWhatWasOnTheScreenStays(t *testing.T) {
	s := newSessions(t)
	screen := newScreen(t, s.env...)
	screen.line("seq 1 500; inlay shell box")
	screen.waitFor("/ #")
	screen.line("seq 501 1000; exit")
	screen.waitFor("inlay: exited with code 0")
	screen.line("seq 1001 1500; echo 'end'")
	seen := screen.waitFor("\nend\n")
	for _, want := range []string{
		"inlay shell box\n" + lines(1, 500), "/ # seq 501 1000; exit\n" + lines(501, 1000) + "inlay: exited with code 0", lines(1001, 1500) + "end\n",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("%.20q... is not whole in what is seen:\n%s", want, seen)
		}
	}
}

func TestTmateSaysItselfThatItCannotConnect(t *testing.T) {
	s := newSessions(t, "tmate")
	screen := newScreen(t, append(s.env, "TMUX=")...)
	screen.line("inlay shell box")
	screen.waitFor("/ #")
	screen.line("export LC_ALL=C.UTF-8; unset TMUX; tmate -F")
	screen.waitFor("ssh.tmate.io lookup failure")
	screen.keys("C-c")
	screen.line("echo back")
	screen.waitFor("\nback\n")
	screen.line("exit 3")
	if seen := screen.waitFor("inlay: exited with code 3"); !strings.Contains(seen, "ssh.tmate.io lookup failure") {
		t.Errorf("it is gone:\n%s", seen)
	}
	// One that ends at once has said why.
	screen.line("inlay shell box -- env TMUX=x tmate; echo code $?")
	seen := screen.waitFor("\ncode 1\n")
	if !strings.Contains(seen, "\nsessions should be nested with care") || !strings.Contains(seen, "inlay: exited with code 1 after") {
		t.Errorf("seen:\n%s", seen)
	}
}

func TestVimInAndOut(t *testing.T) {
	s := newSessions(t, "vim.tiny")
	screen := newScreen(t, s.env...)
	screen.begin("seq 1 5; inlay shell --keep edited box")
	screen.waitFor("/ #")
	screen.line("vim.tiny -u NONE /tmp/text")
	screen.wait("vim", func(seen string) bool { return strings.Contains(seen, "\n~\n~\n~\n") && !strings.Contains(seen, "/ #") })
	screen.keys("i", "some text", "Escape")
	screen.line(":wq")
	seen := screen.wait("the shell", func(seen string) bool { return strings.HasSuffix(seen, "\n/ #\n") })
	if !strings.HasSuffix(seen, "/ # vim.tiny -u NONE /tmp/text\n/ #\n") || !strings.Contains(seen, "box\n"+lines(1, 5)) {
		t.Errorf("the screen is not as it was:\n%s", seen)
	}
	screen.line("exit")
	screen.waitFor("inlay: exited with code 0")
	if got := s.run("cat", "edited", "/tmp/text"); got != "some text\n" {
		t.Errorf("kept %q", got)
	}
}

func TestAResizeReachesTheProcess(t *testing.T) {
	s := newSessions(t)
	screen := newScreen(t, s.env...)
	screen.line("inlay shell box -- sh -c 'trap \"stty size\" WINCH; stty size; while :; do sleep 0.05; done'")
	screen.waitFor("\n30 100\n")
	screen.tmux("resize-window", "-x", "90", "-y", "20")
	screen.waitFor("\n20 90\n")
	screen.keys("C-c")
	screen.waitFor("inlay: killed by signal 2 (interrupt)")
}

func TestWhatIsChangedIsOfferedOrKept(t *testing.T) {
	s := newSessions(t)
	screen := newScreen(t, s.env...)
	screen.line("inlay shell box -- sh -c 'echo new > /etc/new; rm /bin/wc'")
	seen := screen.waitFor("inlay: exited with code 0")
	_, offer, ok := strings.Cut(seen, "\n    inlay diff box ")
	if !ok {
		t.Fatalf("no diff is offered:\n%s", seen)
	}
	offer, _, _ = strings.Cut(offer, "\n")
	want := "M /bin/\nD /bin/wc\nM /etc/\nA /etc/new\n"
	if got := s.run("diff", "box", offer); got != want {
		t.Errorf("diff:\n%s", got)
	}
	screen.begin("inlay shell --keep changed box -- sh -c 'echo new > /etc/new; rm /bin/wc'")
	screen.waitFor("inlay diff box changed\ninlay: exited with code 0")
	if got := s.run("diff", "box", "changed"); got != want {
		t.Errorf("diff:\n%s", got)
	}
	s.run("fsck")
}

func TestAPipelineStopsAtATerminalAndGoesOn(t *testing.T) {
	s := newSessions(t)
	screen := newScreen(t, s.env...)
	before := screen.settings()
	screen.begin("inlay do 'from box | with-new-file /a one | with-env WHO me | terminal --keep | with-exec -- cat /a /b | stdout | export oci:'$HOME/out")
	screen.waitFor(" => terminal: opening /bin/sh\n")
	screen.waitFor("/ #")
	screen.line("cat /a; echo; echo $WHO > /b; exit 9")
	seen := screen.waitFor("\nwrote ")
	for _, want := range []string{"; exit 9\none\n", " => terminal: exited with code 9 after ", "going on with 1 path changed\n", "\noneme\n"} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q is not to be seen:\n%s", want, seen)
		}
	}
	if n := strings.Count(seen, "opening /bin/sh"); n != 1 {
		t.Errorf("it was opened %d times", n)
	}
	// What is not kept is gone, and can still be seen.
	screen.begin("inlay do 'from box | with-new-file /a one | terminal -- sh -c \"echo two > /a\" | with-exec -- cat /a | stdout'")
	screen.waitFor("; 1 path changed, and not kept, as --keep would have done. Until `inlay gc`:\n    inlay diff last@3 sha256:")
	seen = screen.wait("what was there", func(seen string) bool { return strings.HasSuffix(seen, "\none$\n") })
	offered := regexp.MustCompile(`inlay diff last@3 (sha256:[0-9a-f]{64})`).FindStringSubmatch(seen)
	if offered == nil {
		t.Errorf("no diff is offered:\n%s", seen)
	} else if got := s.run("diff", "last@3", offered[1]); got != "M /a\n" {
		t.Errorf("it differs in %q", got)
	}
	// One that cannot be opened is an error: nobody has stood there.
	screen.begin("inlay do 'from box | terminal -- nope | with-exec -- echo never'; echo code $?")
	seen = screen.waitFor("\ncode 127\n")
	if !strings.Contains(seen, "nope is in no directory of PATH") || strings.Contains(seen, "never:") {
		t.Errorf("seen:\n%s", seen)
	}
	if after := screen.settings(); after != before {
		t.Errorf("the terminal was left as\n%s, and was\n%s", after, before)
	}
}

func TestAFailedStepIsStoodInAsItsProcessWas(t *testing.T) {
	s := newSessions(t)
	screen := newScreen(t, append(s.env, "TOKEN=the-secret")...)
	screen.begin("inlay do 'from box | with-workdir /work | with-env WHO me | with-mounted-secret /run/token env:TOKEN | with-mounted-temp /scratch | " +
		`with-mounted-directory /tools $(scratch | with-new-file /tool sharp) | with-exec -- sh -c "echo first > a; echo half > /out; cat /run/token > /dev/null; exit 6"'; echo code $?`)
	screen.waitFor("\ncode 6\n")
	screen.begin("inlay shell last@failed")
	screen.waitFor("/work #")
	screen.line("cat a /out /run/token; echo; cat /tools/tool; echo; echo $WHO; pwd; ls -d /scratch; exit 2")
	seen := screen.waitFor("inlay: exited with code 2")
	if want := "; exit 2\nfirst\nhalf\nthe-secret\nsharp\nme\n/work\n/scratch\ninlay: exited with code 2"; !strings.Contains(seen, want) {
		t.Errorf("want %q, seen:\n%s", want, seen)
	}
	if !strings.Contains(seen, "last@failed: step 6, with-exec sh -c") || !strings.Contains(seen, ": failed\n") {
		t.Errorf("the step is not named:\n%s", seen)
	}
	// A secret that is not there any more is missed before anything runs.
	screen.begin("unset TOKEN; inlay shell last@failed; echo code $?")
	seen = screen.waitFor("\ncode 1\n")
	if !strings.Contains(strings.ReplaceAll(seen, "\n", ""), "the variable TOKEN is not set; `inlay shell --secret 'env:TOKEN=SECRET' last@failed` gives another one") {
		t.Errorf("what helps is not said:\n%s", seen)
	}
}

func TestAFailureOpensAShell(t *testing.T) {
	s := newSessions(t)
	screen := newScreen(t, s.env...)
	screen.begin("inlay do --on-failure shell 'from box | with-env WHO me | with-exec -- sh -c \"echo half > /out; exit 6\" | export oci:never'; echo code $?")
	screen.waitFor("/ #")
	screen.line("cat /out; echo $WHO; exit 2")
	seen := screen.waitFor("\ncode 6\n")
	if !strings.Contains(seen, "; exit 2\nhalf\nme\ninlay: exited with code 2 after ") || strings.Count(seen, "exit 6': exited with code 6\n") != 2 {
		t.Errorf("seen:\n%s", seen)
	}
	// What is wrong before anything runs opens none, and neither does what has no terminal.
	screen.begin("inlay do --on-failure shell 'from box | nonsense'; echo code $?")
	screen.waitFor("\ncode 2\n")
	screen.begin("inlay do --on-failure shell 'from box | with-exec false' | cat; echo code ${PIPESTATUS[0]}")
	screen.waitFor("\ncode 2\n")
	screen.begin("inlay do --on-failure shell 'from box | terminal -- nope'; echo code $?")
	screen.waitFor("/ #")
	screen.line("exit")
	screen.waitFor("\ncode 127\n")
}

func TestNobodyIsThrownOutBecauseAnotherStepFailed(t *testing.T) {
	s := newSessions(t)
	screen := newScreen(t, s.env...)
	screen.begin("inlay do 'from box | with-exec -- sh -c \"sleep 1; echo much; exit 5\" | with-directory /d $(from box | terminal)'; echo code $?")
	screen.waitFor("/ #")
	screen.line("sleep 3; echo I am here")
	screen.waitFor("\nI am here\n")
	screen.line("exit")
	seen := screen.waitFor("\ncode 5\n")
	_, after, _ := strings.Cut(seen, "\nI am here\n")
	for _, want := range []string{"terminal: exited with code 0 after ", "=> => # much\n", "exit 5': exited with code 5\n"} {
		if !strings.Contains(after, want) {
			t.Errorf("%q was to be said afterwards:\n%s", want, seen)
		}
	}
}
