// Command judge does what cases say by a buildkitd, and tells what came of it. It
// is the other side of Inlay's tests (see interop), in a module of its own
// because of all that BuildKit's client brings along.
//
//	judge ADDRESS DIRECTORY < batches > answers
//
// DIRECTORY holds the program that writes and lists trees in BuildKit's
// containers. Batches and answers are JSON, one after the other; answers come in
// any order.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/moby/buildkit/client"
)

// Batch is cases with the trees that they work on.
type Batch struct {
	ID    int
	Trees []string // listings in their text form
	Cases []Case
}

// Case is one thing to do with trees of a batch.
type Case struct {
	// Op is "dockerfile": build Dockerfile, in which the first tree is dst and
	// the second is src; "merge": MergeOp of all; "diff": DiffOp of two, merged
	// onto the first by MergeOp; "none": the first tree as it is.
	Op         string
	Trees      []int
	Dockerfile []byte
}

// Answer is what came of a batch. Error is of the judge itself.
type Answer struct {
	ID      int
	Error   string
	Results []Result
}

// Result is what came of a case: a listing in its text form, or BuildKit's error.
type Result struct {
	Tree, Error string
}

// inFlight is how many batches are worked on at once: one copies while the other
// writes or lists.
const inFlight = 2

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: judge ADDRESS DIRECTORY < batches > answers")
	}
	c, err := client.New(ctx, args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	var (
		in    = json.NewDecoder(os.Stdin)
		out   = json.NewEncoder(os.Stdout)
		mu    sync.Mutex
		wg    sync.WaitGroup
		slots = make(chan struct{}, inFlight)
	)
	defer wg.Wait()
	for {
		var b Batch
		if err := in.Decode(&b); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			a := Answer{ID: b.ID}
			var err error
			if a.Results, err = judge(ctx, c, args[1], b); err != nil {
				a.Error = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			if err := out.Encode(a); err != nil {
				fmt.Fprintln(os.Stderr, "judge:", err)
			}
		})
	}
}
