package treetest

import "math/rand/v2"

// Source is where generators take their choices from: a seed, or the bytes of a
// fuzzer, which end in zeros, the simplest choice everywhere.
type Source struct {
	rand  *rand.Rand
	bytes []byte
}

// Seeded gives the source of a seed.
func Seeded(seed uint64) *Source {
	return &Source{rand: rand.New(rand.NewPCG(seed, 0x696e6c6179))}
}

// FromBytes gives the source of a fuzzer's bytes.
func FromBytes(b []byte) *Source { return &Source{bytes: b} }

// n gives a number below max, which is at most 65,536.
func (s *Source) n(max int) int {
	if s.rand != nil {
		return s.rand.IntN(max)
	}
	v := s.next()
	if max > 256 {
		v = v<<8 | s.next()
	}
	return v % max
}

func (s *Source) next() int {
	if len(s.bytes) == 0 {
		return 0
	}
	b := s.bytes[0]
	s.bytes = s.bytes[1:]
	return int(b)
}

// one tells, one time in n, that something rare is to be.
func (s *Source) one(n int) bool { return s.n(n) == n-1 }

func pick[T any](s *Source, from []T) T { return from[s.n(len(from))] }
