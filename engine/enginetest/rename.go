package enginetest

import "github.com/inlaybuild/inlay/graph"

// renameLaws are what giving another path does.
func renameLaws() []law {
	rename := func(from, to string, lines ...string) law {
		return law{node: on(of(lines...), graph.Rename{From: from, To: to})}
	}
	named := func(name string, l law, want ...string) law {
		l.name, l.want = name, want
		return l
	}
	failing := func(name string, l law, err string) law {
		l.name, l.err = name, err
		return l
	}
	return []law{
		named("a directory is renamed with all that it holds", rename("/a", "/b/c", "a 700 1:2", "a/x=1 600", "a/l -> x"),
			"b/", "b/c/ 700 1:2", "b/c/l -> x", "b/c/x=1 600"),
		named("parents are followed, a last symlink is not", rename("/l/k", "/l/m", "d/k -> nowhere", "l -> d"),
			"d/", "d/m -> nowhere", "l -> d"),
		named("to a path with a slash it goes under its own name", rename("/x", "/l/", "x=1", "d/", "l -> d"),
			"d/", "d/x=1", "l -> d"),
		named("what is there is replaced", rename("/a", "/d", "a=1", "d/e/f=2"), "d=1"),
		failing("unless that is forbidden", law{node: on(of("a=1", "d/e=2"), graph.Rename{From: "/a", To: "/d", Existing: "forbid"})}, "/d"),
		failing("a directory cannot go below itself", rename("/a", "/a/b/c", "a/b/x=1"), "below itself"),
		failing("what does not exist is an error with the nearest directory", rename("/a/b/c", "/d", "a/x=1"), "nearest directory that exists is /a"),
	}
}
