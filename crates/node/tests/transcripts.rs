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
    fn aliases();
    fn client_identifier();
    fn client_identifier_event_grid();
    fn connect_deadline();
    fn keep_alive();
    fn keep_alive_event_grid();
    fn message_expiry();
    fn message_expiry_event_grid();
    fn no_local();
    fn overlapping();
    fn packet_maximum();
    fn qos_0();
    fn qos_1();
    fn qos_2();
    fn receive_maximum();
    fn resume();
    fn resume_window();
    fn retained();
    fn retained_bounds();
    fn session_expiry_event_grid();
    fn session_start();
    fn subscriptions();
    fn take_over();
    fn unsubscribe();
    fn wills();
    fn wills_event_grid();
    fn window_v311();
}
