//! The rules of the house, as tests: each reads the tree and says file, line and what to do.
//!
//! The arrows between the layers are drawn in ARCHITECTURE.md and held here, so the drawing cannot become a fairy tale.
//! Every rule is a function of what it reads, with tests of its own below it: a rule that cannot fail is noticed.
//!
//! - `source` takes comments, literals and unit tests out of a file; `paths` lists the names that are left
//! - `imports` holds the arrows, `boundaries` says who may touch sockets, clock, log and files
//! - `sizes`, `words`, `documents` keep functions short, code finished and papers true
//! - `picture` and `endings` hold the drawing and the table of close codes against what they show
//! - `generated` and `manual` hold sample, man pages and completions against the code; `REGENERATE=1` rewrites them

mod boundaries;
mod documents;
mod endings;
mod generated;
mod imports;
mod manual;
mod paths;
mod picture;
mod sizes;
mod source;
mod words;

use std::fs;
use std::path::Path;

use picture::Picture;
use source::Source;

#[test]
fn layers_import_only_what_the_architecture_allows() {
    clean(&imports::broken_arrows(&sources(), &document("ARCHITECTURE.md")));
}

#[test]
fn only_the_server_names_sockets() {
    clean(&boundaries::crossings(&sources(), &boundaries::SOCKETS));
}

#[test]
fn only_the_owners_of_the_slab_name_it() {
    clean(&boundaries::crossings(&sources(), &boundaries::SLAB));
}

#[test]
fn the_clock_is_read_in_one_place() {
    clean(&boundaries::crossings(&sources(), &boundaries::CLOCK));
}

#[test]
fn only_the_server_writes_the_log() {
    clean(&boundaries::crossings(&sources(), &boundaries::LOG));
}

#[test]
fn environment_and_files_are_read_at_the_edge() {
    clean(&boundaries::crossings(&sources(), &boundaries::ENVIRONMENT));
}

#[test]
fn nothing_is_shared_or_locked() {
    clean(&boundaries::crossings(&sources(), &boundaries::SHARED_STATE));
}

#[test]
fn there_are_no_futures_and_no_borrowing_at_run_time() {
    clean(&boundaries::foreign_styles(&sources()));
}

#[test]
fn files_are_short() {
    clean(&sizes::long_files(&sources(), 400));
}

#[test]
fn functions_are_short() {
    clean(&sizes::long_functions(&sources(), 60));
}

#[test]
fn nothing_is_unfinished() {
    clean(&words::unfinished(&all_rust()));
}

#[test]
fn nothing_in_the_daemon_panics() {
    clean(&words::panics(&sources()));
}

#[test]
fn tests_are_not_weakened() {
    clean(&words::weak_tests(&all_rust()));
}

#[test]
fn nothing_sleeps() {
    clean(&words::sleeps(&sources()));
    clean(&words::sleeps(&tests()));
}

#[test]
fn every_file_is_in_the_code_map() {
    clean(&documents::unnamed_files(&sources(), &document("ARCHITECTURE.md")));
}

#[test]
fn every_file_in_the_documents_exists() {
    let exists = |path: &str| root().join(path).is_file();
    for name in DOCUMENTS {
        clean(&documents::ghost_files(name, &document(name), exists));
    }
}

#[test]
fn every_test_in_the_documents_exists() {
    let sources = all_rust();
    for name in DOCUMENTS {
        clean(&documents::ghost_tests(name, &document(name), &sources));
    }
}

#[test]
fn every_dependency_has_a_reason() {
    clean(&documents::unexplained_dependencies(&document("Cargo.toml"), &document("ARCHITECTURE.md")));
}

#[test]
fn the_readme_has_the_table_of_endings() {
    clean(&endings::differences(&document("README.md"), &endings::all()));
}

/// With `REGENERATE` in the environment it writes them instead.
#[test]
fn what_is_generated_is_up_to_date() {
    let files = generated::all();
    let anew = std::env::var_os("REGENERATE").is_some();
    clean(&if anew { generated::write(root(), &files) } else { generated::stale(root(), &files) });
}

#[test]
fn the_picture_shows_what_there_is() {
    let source = Picture::of_dot(&document("ARCHITECTURE.dot"));
    clean(&source.ghosts(|path| root().join(path).exists()));
    clean(&source.differences(&Picture::of_svg(&document("ARCHITECTURE.svg"))));
}

#[test]
fn documents_cite_no_line_numbers() {
    for name in DOCUMENTS {
        clean(&documents::line_citations(name, &document(name)));
    }
}

#[test]
fn documents_are_short() {
    let limits = DOCUMENTS.iter().zip([340, 400]);
    let long = limits.filter_map(|(name, lines_max)| documents::overlong(name, &document(name), lines_max));
    clean(&long.collect::<Vec<_>>());
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let mut files = source::text_files(root(), "");
    files.retain(|(path, _)| !path.starts_with("tests/"));
    clean(&words::machine_paths(&files));
}

fn clean(findings: &[String]) {
    assert!(findings.is_empty(), "\n  {}\n", findings.join("\n  "));
}

/// The files of src. An empty list would satisfy every rule, so it is an error.
fn sources() -> Vec<Source> {
    let sources = source::rust_files(root(), "src");
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "src/lib.rs is not below {}", root().display());
    sources
}

fn tests() -> Vec<Source> {
    source::rust_files(root(), "tests")
}

fn all_rust() -> Vec<Source> {
    let others = ["bench", "examples"].map(|folder| source::rust_files(root(), folder)).into_iter().flatten();
    sources().into_iter().chain(tests()).chain(others).collect()
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name} cannot be read, write it: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const DOCUMENTS: [&str; 2] = ["ARCHITECTURE.md", "README.md"];
