//! Every transcript as a test of its own, so that the conformance manifest can point at it.
//! The grammar is in `transcript/script.rs`.

mod transcript;

macro_rules! transcripts {
    ($(fn $name:ident();)*) => {
        $(#[test]
        fn $name() {
            transcript::run(stringify!($name));
        })*

        #[test]
        fn every_transcript_is_run() {
            transcript::check_listed(&[$(stringify!($name)),*]);
        }
    };
}

transcripts! {
    fn qos_0();
    fn qos_1();
}
