        Engine::Dummy => &Capabilities {
            scan: &crate::sql::grammar::dummy::Dummy,
            repair: None,
            batch: None,
            load: None,
            forecast: None,
            recorder: None,
        },
