package embedded

// UserError says that the user that a process is to be is not in its tree.
type UserError struct {
	User string
	Err  error
}

// SecretError says that a secret cannot be read.
type SecretError struct {
	Name string
	Err  error
}

// Error tells what is wrong with the user.
func (e *UserError) Error() string { return e.Err.Error() }

// Unwrap gives the error itself.
func (e *UserError) Unwrap() error { return e.Err }

// Error tells what is wrong with the secret, by its name.
func (e *SecretError) Error() string { return e.Err.Error() }

// Unwrap gives the error itself.
func (e *SecretError) Unwrap() error { return e.Err }
