package runtime_test

func victim(stateDir string) {}
