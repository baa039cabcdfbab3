package buildkit_test

import (
	"context"
	"fmt"
	"log"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/engine/buildkit"
)

// A client whose processes run at a pool of two daemons.
func ExampleAt() {
	addresses, err := buildkit.ParseEngine("buildkit://tcp://one.example.org:1234,tcp://two.example.org:1234")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	client, err := inlay.Open(ctx, inlay.Options{Remote: buildkit.At(buildkit.Options{Addresses: addresses})})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close(ctx)
	said, err := inlay.From("debian:12").WithExec([]string{"uname", "-m"}).Stdout(ctx, client)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(said)
}

// Addresses are those that buildctl knows.
func ExampleParseEngine() {
	for _, s := range []string{"buildkit://", "buildkit://tcp://builder:1234", "buildkit://builder"} {
		at, err := buildkit.ParseEngine(s)
		fmt.Println(at, err)
	}
	// Output:
	// [unix:///run/buildkit/buildkitd.sock] <nil>
	// [tcp://builder:1234] <nil>
	// [] "builder" is no address of a daemon: it begins with one of unix://, tcp://, docker-container://, podman-container://, nerdctl-container://, kube-pod://, ssh://
}
