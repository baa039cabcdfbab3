package embedded

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxSecret is the greatest size of a secret.
const maxSecret = 1 << 20

// readSecret gives "env:NAME" and "file:PATH".
func readSecret(_ context.Context, name string) ([]byte, error) {
	kind, where, _ := strings.Cut(name, ":")
	switch kind {
	case "env":
		v, ok := os.LookupEnv(where)
		if !ok {
			return nil, fmt.Errorf("secret %s: the variable %s is not set", name, where)
		}
		return []byte(v), nil
	case "file":
		f, err := os.Open(where)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		if len(b) > maxSecret {
			return nil, fmt.Errorf("secret %s: more than %d bytes", name, maxSecret)
		}
		return b, nil
	}
	return nil, fmt.Errorf("secret %q: want env:NAME or file:PATH", name)
}
