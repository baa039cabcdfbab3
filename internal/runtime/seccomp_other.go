//go:build linux && !amd64

package runtime

func hasX32() bool { return false }
