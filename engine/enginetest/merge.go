package enginetest

import "github.com/inlaybuild/inlay/graph"

// mergeLaws are those of merge, diff and apply.
func mergeLaws() []law {
	merge := func(n *graph.Node, more ...*graph.Node) *graph.Node { return on(n, graph.Merge{}, more...) }
	diff := func(a, b *graph.Node) *graph.Node { return on(a, graph.Diff{}, b) }
	a := of("bin -> usr/bin", "usr/bin/sh=1", "etc/conf=1", "gone/x=1")
	b := of("bin -> usr/bin", "usr/bin/sh=1", "usr/bin/ls=2 755 1:1 @4", "etc/conf=2", "l -> etc")
	return []law{
		{name: "later ones win, and a directory replaces a symlink", node: merge(a, of("bin/t=1", "etc=file")),
			want: []string{"bin/", "bin/t=1", "etc=file", "gone/", "gone/x=1", "usr/", "usr/bin/", "usr/bin/sh=1"}},
		{name: "merge is associative", node: merge(merge(of("a=1"), of("a/b=2")), of("a/c=3")), want: []string{"a/", "a/b=2", "a/c=3"}},
		{name: "merge is associative from the right", node: merge(of("a=1"), merge(of("a/b=2"), of("a/c=3"))), want: []string{"a/", "a/b=2", "a/c=3"}},
		{name: "the empty tree changes nothing", node: merge(of("a=1 600"), of()), want: []string{"a=1 600"}},
		{name: "a difference applied gives the other", node: merge(a, diff(a, b)),
			want: []string{"bin -> usr/bin", "etc/", "etc/conf=2", "l -> etc", "usr/", "usr/bin/", "usr/bin/ls=2 755 1:1 @4", "usr/bin/sh=1"}},
		{name: "a difference applies to another tree", node: merge(of("etc/conf=9", "gone/y=1", "z=1"), diff(a, b)),
			want: []string{"etc/", "etc/conf=2", "l -> etc", "usr/", "usr/bin/", "usr/bin/ls=2 755 1:1 @4", "z=1"}},
		{name: "a change set is no directory", node: put(of(), "/", diff(a, b), "/", contents), err: "change set"},
		{name: "merge starts with a directory", node: merge(diff(a, b), of()), err: "change set"},
	}
}
