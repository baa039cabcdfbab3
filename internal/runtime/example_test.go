package runtime_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/inlaybuild/inlay/internal/runtime"
)

func ExampleResolveUser() {
	passwd := strings.NewReader("alice:x:1000:1000::/home/alice:/bin/sh\n")
	group := strings.NewReader("audio:x:29:alice\n")
	who, err := runtime.ResolveUser("alice", passwd, group)
	fmt.Println(who.UID, who.GID, who.Groups, who.Home, err)
	// Output: 1000 1000 [29] /home/alice <nil>
}

func ExampleRun() {
	program, err := runtime.Find()
	if err != nil {
		fmt.Println(err) // says how to build it
		return
	}
	config := runtime.Config{Program: program, StateDir: "/run/inlay"}
	exit, err := runtime.Run(context.Background(), config, runtime.Process{
		Root:   "/srv/debian",
		Args:   []string{"/bin/sh", "-c", "id -u; exit 7"},
		Env:    []string{"PATH=" + runtime.DefaultPath},
		Stdout: os.Stdout,
	})
	fmt.Println(exit, err)
}
