//! Every transcript as a test of its own, so that the conformance manifest can point at it.
//! The grammar is in `transcript/script.rs`.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[allow(dead_code, reason = "random clients use parts of it that scripts do not")]
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
    fn alias_bytes();
    fn aliases();
    fn aliases_off();
    fn aliases_sent();
    fn aliases_sent_full();
    fn authentication();
    fn client_identifier();
    fn client_identifier_event_grid();
    fn connect_deadline();
    fn connect_rate();
    fn connections_max();
    fn denied_publish();
    fn disconnect();
    fn door();
    fn door_log_full();
    fn event_grid();
    fn fan_out();
    fn fan_out_large();
    fn fan_out_paused();
    fn keep_alive();
    fn keep_alive_event_grid();
    fn log_paused();
    fn malformed();
    fn memory();
    fn message_expiry();
    fn message_expiry_event_grid();
    fn mqtt_31();
    fn mqtt_31_event_grid();
    fn no_local();
    fn no_local_overlapping();
    fn order();
    fn output_full();
    fn overlapping();
    fn packet_maximum();
    fn packet_order();
    fn paused_publisher();
    fn posts_full();
    fn problem_information();
    fn properties();
    fn publish_rate();
    fn qos_0();
    fn qos_1();
    fn qos_2();
    fn queue_drop_newest();
    fn queue_drop_oldest();
    fn queue_end_session();
    fn queue_end_session_chain();
    fn queue_refuse();
    fn queue_refuse_logged();
    fn queues_full();
    fn queues_full_refuse();
    fn reauthentication();
    fn receive_maximum();
    fn refused_filters();
    fn refused_filters_bounds();
    fn resume();
    fn resume_window();
    fn retained();
    fn retained_bounds();
    fn retained_handover();
    fn session_expiry_event_grid();
    fn session_start();
    fn shared();
    fn shared_credit();
    fn shared_event_grid();
    fn shared_groups();
    fn shared_queue();
    fn shared_refuse();
    fn shared_rights();
    fn shared_session_end();
    fn shared_session_lives();
    fn shared_stalled();
    fn stalled();
    fn subscriptions();
    fn take_over();
    fn token_expiry();
    fn unsubscribe();
    fn versions();
    fn wills();
    fn wills_event_grid();
    fn window_v311();
}
