//! The device that dev begins with, at homes as the server's.

use std::sync::Arc;

use super::double::Double;
use crate::first_device::first_device;

#[tokio::test]
async fn the_first_device_is_made_once_and_found_later() {
    let hub = Arc::new(Double::hub());
    let made = first_device(&hub).await.unwrap().unwrap();
    assert_eq!(made.id.as_str(), "device1");
    let found = first_device(&hub).await.unwrap().unwrap();
    assert_eq!(found.key, made.key);
    let other = first_device(&Arc::new(Double::hub())).await.unwrap().unwrap();
    assert_ne!(other.key, made.key);
    assert!(first_device(&Arc::new(Double::open())).await.unwrap().is_none());
}
