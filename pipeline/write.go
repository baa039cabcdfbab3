package pipeline

import (
	"context"
	"fmt"

	"github.com/inlaybuild/inlay/engine"
)

func writeWords() []Word {
	compression := Flag{Name: "compression", Arg: "HOW", OneOf: []string{"gzip", "zstd", "none"}, Help: "of new layers: gzip (the default), zstd or none"}
	plain := Flag{Name: "plain-http", Help: "push without TLS; to this machine it is not needed"}
	words := []Word{{
		Name: "export", Args: "DEST", Short: "write it as an image, a tar or a directory; the pipeline goes on",
		Long: "DEST is oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, tar:FILE (- is standard\n" +
			"output), dir:PATH, or a registry's reference. Layers of the base are kept as they are.",
		Flags: []Flag{compression, plain,
			{Name: "existing", Arg: "HOW", OneOf: []string{"merge", "replace"}, Help: "of a directory that is not empty; otherwise it is refused"}},
		Example: "from debian:12 | with-file /bin/tool ./tool | export oci:out | export tar:out.tar",
	}, {
		Name: "push", Args: "REF", Short: "write it as an image to a registry; the pipeline goes on",
		Flags:   []Flag{compression, plain},
		Example: "from debian:12 | with-file /bin/tool ./tool | push registry.example.org/tool:1",
	}}
	for i := range words {
		w := &words[i]
		w.Group, w.on, w.min, w.max, w.label, w.run = Writes, isSystem, 1, 1, 1, runExport
	}
	return words
}

func runExport(ctx context.Context, c *call) (value, error) {
	dest := c.text(0)
	if c.err != nil {
		return nil, c.err
	}
	if isHost(dest) {
		return nil, c.runner.script.errorAt(c.args[0].at, "%s %s: say what to write: dir:%[2]s, tar:%[2]s, oci:%[2]s, oci-archive:%[2]s or docker-archive:%[2]s", c.parsed.word.Name, clip(dest))
	}
	to, err := engine.ParsePlace(dest)
	if err == nil && c.parsed.word.Name == "push" && to.Scheme != engine.SchemeName {
		err = fmt.Errorf("%s: want a registry's reference, such as registry.example.org/name:tag", clip(dest))
	}
	if err != nil {
		return nil, c.runner.script.errorAt(c.args[0].at, "%s: %v", c.parsed.word.Name, err)
	}
	o := engine.ExportOptions{PlainHTTP: c.has("plain-http"), Progress: c.runner.env.Events, Existing: c.flag("existing")}
	switch c.flag("compression") {
	case "zstd":
		o.Compression = engine.Zstd
	case "none":
		o.Compression = engine.Uncompressed
	}
	r, err := c.runner.resolve(ctx, node(c.in))
	if err != nil {
		return nil, err
	}
	done, err := c.runner.env.Client.Engine().Export(ctx, r, to, o)
	if err != nil {
		return nil, err
	}
	return c.in, c.print(ctx, Exported{done})
}
