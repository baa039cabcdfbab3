package enginetest

import "github.com/inlaybuild/inlay/graph"

// mountPointLaws are what is left of directories that are made on the way to a mount
// point: nothing of one that the process neither put something into nor changed, whatever
// it inherited of the directory that it was made in.
func mountPointLaws(root *graph.Node) []law {
	var out []law
	for _, in := range []struct {
		name        string
		node        *graph.Node
		dir         string
		mode, owner string // of what is made there
	}{
		{"", entry(root, "s/"), "/s", "", ""},
		{" in a set-group-id directory", entry(root, "s/ 2755 0:7"), "/s", " 2755", " 0:7"},
		{" in a set-group-id root", on(root, graph.SetAttr{Paths: []string{"/"}, Shallow: true, Mode: "2755", Owner: "0:7"}), "", " 2755", " 0:7"},
	} {
		with := func(script string) *graph.Node {
			return process(in.node, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTemp, Target: in.dir + "/x/a/b/m"}}}, "cd "+in.dir+"/x/a; "+script)
		}
		left := func(script string) *graph.Node { return part(with(script), in.dir+"/x") }
		out = append(out,
			law{name: "a way to a mount point" + in.name + " leaves nothing", node: left("touch b/m/f"), err: "does not exist"},
			law{name: "a way to a mount point" + in.name + " inherits", node: left("touch n"), want: []string{"a/" + in.mode + in.owner, "a/n=" + in.owner}},
			law{name: "a way to a mount point" + in.name + " that was changed stays", node: left("chmod 700 b"), want: []string{"a/" + in.mode + in.owner, "a/b/ 700" + in.owner}},
		)
	}
	return out
}
