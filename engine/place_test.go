package engine_test

import (
	"testing"

	"github.com/inlaybuild/inlay/engine"
)

// A step of a run is told from a name and from a registry's reference by its form
// alone, and every place is written as it is read.
func TestPlacesAreToldByTheirForm(t *testing.T) {
	for text, want := range map[string]engine.Scheme{
		"last":                         engine.SchemeStep,
		"last@3":                       engine.SchemeStep,
		"last@failed":                  engine.SchemeStep,
		"2026@with-exec":               engine.SchemeStep,
		"20260301-101502.123456-K3QF":  engine.SchemeStep,
		"20260301-101502.123456-K3QF@": engine.SchemeStep, // Find says what is missing
		"20260301-101502.123456-k3qf":  engine.SchemeName,
		"20260301":                     engine.SchemeName, // it may be a name in the store
		"lastly":                       engine.SchemeName,
		"last:3":                       engine.SchemeName,
		"debian:12":                    engine.SchemeName,
		"host/name@sha256:0123":        engine.SchemeName,
		"name@sha256:0123":             engine.SchemeName,
		"host:5000/a@b":                engine.SchemeName,
		"dir:last@3":                   engine.SchemeDir,
		"oci:last@3":                   engine.SchemeOCI,
		"tar:-":                        engine.SchemeTar,
		"scratch":                      engine.SchemeScratch,
	} {
		p, err := engine.ParsePlace(text)
		if err != nil || p.Scheme != want || p.String() != text {
			t.Errorf("%s is %s %q, %v; want %s", text, p.Scheme, p.String(), err, want)
		}
	}
}
