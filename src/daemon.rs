//! The daemon: the wiring of everything else to clocks, sockets, signals and files.
