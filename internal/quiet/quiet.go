// Package quiet keeps packages of others from writing to the program's standard error.
package quiet

import (
	"context"
	"io"

	"github.com/containerd/log"
	"github.com/sirupsen/logrus"
)

// Context gives a context in which containerd's and BuildKit's packages write no log:
// what it says they give back as errors too.
func Context(ctx context.Context) context.Context {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return log.WithLogger(ctx, logrus.NewEntry(l))
}
