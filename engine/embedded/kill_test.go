package embedded_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/internal/compress"
)

// other is this test binary as another process.
func other(t testing.TB, task, dir, source string, env ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), append(env, "INLAY_TEST_TASK="+task, "INLAY_TEST_STORE="+dir, "INLAY_TEST_SOURCE="+source)...)
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// kills is how often a test kills.
func kills() int {
	if os.Getenv("INLAY_LONG") != "" {
		return 200
	}
	return 5
}

// killed starts a task, kills it at random moments, and looks at what is left;
// then it must succeed.
func killed(t *testing.T, task, source string) {
	dir := filepath.Join(t.TempDir(), "store")
	fresh := filepath.Join(t.TempDir(), "fresh")
	started := time.Now()
	cmd, out := other(t, task, fresh, source, "INLAY_TEST_SEED=0")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	took := time.Since(started)
	whole := task == "import"
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	ended := 0
	for i := range kills() {
		if whole { // there is nothing left to be killed in: from nothing again
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			whole = false
		}
		cmd, out := other(t, task, dir, source, "INLAY_TEST_SEED="+strconv.Itoa(i))
		time.Sleep(time.Duration(r.Int64N(int64(took))))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			ended++
			whole = task == "import"
		} else if cmd.ProcessState.ExitCode() == 1 {
			t.Fatalf("kill %d: it failed before it was killed: %s", i, out)
		}
		e, err := embedded.Open(t.Context(), embedded.Options{Store: dir})
		if err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
		sound(t, e)
		if err := e.Close(t.Context()); err != nil {
			t.Errorf("kill %d: %v", i, err)
		}
		if i%5 == 4 {
			cmd, out := other(t, task, dir, source, "INLAY_TEST_SEED="+strconv.Itoa(i))
			if err := cmd.Wait(); err != nil {
				t.Fatalf("after kill %d: %v\n%s", i, err, out)
			}
			whole = task == "import"
		}
		if t.Failed() {
			t.Fatalf("after kill %d", i)
		}
	}
	t.Logf("%d of %d ended before they were killed", ended, kills())
	e := open(t, embedded.Options{Store: dir})
	if _, err := e.Collect(t.Context(), collectAll); err != nil {
		t.Error(err)
	}
	sound(t, e)
	nothingLeft(t, dir)
}

func TestKilledImport(t *testing.T) {
	var m imagetest.Memory
	var layers []image.Layer
	for i := range 4 {
		layers = append(layers, imagetest.Layer(t, &m, imagetest.Tar(t, strconv.Itoa(i), 2_000_000), compress.Gzip))
	}
	dir := onDisk(t, &m, imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{}, layers...))
	killed(t, "import", "oci:"+dir)
}

// busyboxImage gives a layout of an image with busybox.
func busyboxImage(t testing.TB) string {
	t.Helper()
	e := open(t, embedded.Options{})
	r := resolve(t, e, enginetest.Busybox(t))
	to := "oci:" + filepath.Join(t.TempDir(), "busybox")
	export(t, e, r, to, exportDefault)
	return to
}

func TestKilledPipeline(t *testing.T) {
	needsProcesses(t)
	killed(t, "pipeline", busyboxImage(t))
}

func TestProcessesAndACollectorShareAStore(t *testing.T) {
	needsProcesses(t)
	seconds := "5"
	if os.Getenv("INLAY_LONG") != "" {
		seconds = "60"
	}
	source := busyboxImage(t)
	dir := filepath.Join(t.TempDir(), "store")
	var cmds []*exec.Cmd
	var outs []*bytes.Buffer
	for _, task := range []string{"pipelines", "pipelines", "collect"} {
		cmd, out := other(t, task, dir, source, "INLAY_TEST_SECONDS="+seconds)
		cmds, outs = append(cmds, cmd), append(outs, out)
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, outs[i])
		}
		t.Log(outs[i])
	}
	e := open(t, embedded.Options{Store: dir})
	sound(t, e)
	if _, err := e.Collect(t.Context(), collectAll); err != nil {
		t.Error(err)
	}
	sound(t, e)
	nothingLeft(t, dir)
}

func TestTwoClientsAtOnceInOneProcess(t *testing.T) {
	needsProcesses(t)
	dir := filepath.Join(t.TempDir(), "store")
	a, b := open(t, embedded.Options{Store: dir}), open(t, embedded.Options{Store: dir})
	errs := make(chan error, 8)
	for i := range 8 {
		e := a
		if i%2 == 1 {
			e = b
		}
		n := script(t, graph.Exec{}, "echo "+strconv.Itoa(i/2)+" > /f")
		go func() {
			_, err := e.Resolve(context.Background(), n, nil)
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	sound(t, a)
}
