//go:build linux

package runtime

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// writeEtc writes the files that are shown in /etc of the root below dir, and
// gives their places by name in the root.
func writeEtc(p *Process, dir string) (map[string]string, error) {
	hosts, err := hostsFile(p)
	if err != nil {
		return nil, err
	}
	resolv := p.ResolvConf
	if resolv == nil && p.Network == NetworkHost {
		if resolv, err = os.ReadFile("/etc/resolv.conf"); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	files := make(map[string]string, 3)
	for name, content := range map[string][]byte{
		"hosts": hosts, "resolv.conf": resolv, "hostname": []byte(hostname(p) + "\n"),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return nil, err
		}
		if err := os.Chmod(path, 0o644); err != nil { // whatever the umask
			return nil, err
		}
		files["/etc/"+name] = path
	}
	return files, nil
}

func hostsFile(p *Process) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("127.0.0.1\tlocalhost " + hostname(p) + "\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	for _, host := range p.Hosts {
		if strings.ContainsAny(host.Name, "\n\r#") || strings.TrimSpace(host.Name) == "" {
			return nil, fmt.Errorf("host name %q: want a name without line breaks", host.Name)
		}
		address, err := netip.ParseAddr(host.Address)
		if err != nil {
			return nil, fmt.Errorf("address of host %q: %w", host.Name, err)
		}
		fmt.Fprintf(&b, "%s\t%s\n", address, host.Name)
	}
	return b.Bytes(), nil
}
