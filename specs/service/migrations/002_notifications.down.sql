DROP TABLE exports;
DROP TABLE notifications;
